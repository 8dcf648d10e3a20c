package inspect

import (
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// interpreter gives the loader a program asks for.
func interpreter(f *elf.File) (string, bool) {
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			b, err := io.ReadAll(p.Open())
			if err != nil {
				return "", false
			}
			return strings.TrimRight(string(b), "\x00"), true
		}
	}
	return "", false
}

// A search walks the libraries a program needs, and those they need, as the
// dynamic loader of glibc would (ld.so(8)).
type search struct {
	first, last []string // folders before and after those a file itself names
	class       elf.Class
	machine     elf.Machine
	loader      string

	seen     map[string]string // names asked for and where they were found, "" if nowhere
	missing  []string
	versions []string // "GLIBC_2.38 of libc.so.6"
}

const librariesMax = 2000 // a program that needs more is no program

func newSearch(f *elf.File, at Place, loader string) *search {
	s := &search{class: f.Class, machine: f.Machine, loader: loader, seen: map[string]string{}}
	s.first = slices.Clone(at.LibraryPath)
	s.last = append(configured("/etc/ld.so.conf", 0), "/lib64", "/usr/lib64", "/lib", "/usr/lib")
	// Alpine keeps its list elsewhere; Nix and Guix name every folder in the file.
	if name, ok := strings.CutPrefix(filepath.Base(loader), "ld-musl-"); ok {
		s.last = append(s.last, "/usr/local/lib")
		if b, err := os.ReadFile("/etc/ld-musl-" + strings.TrimSuffix(name, ".so.1") + ".path"); err == nil {
			s.last = append(s.last, strings.FieldsFunc(string(b), func(r rune) bool { return r == ':' || r == '\n' })...)
		}
	}
	return s
}

// configured reads the folders of /etc/ld.so.conf and what it includes.
func configured(path string, depth int) []string {
	b, err := os.ReadFile(path)
	if err != nil || depth > 4 {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		switch words := strings.Fields(line); {
		case len(words) == 2 && words[0] == "include":
			pattern := words[1]
			if !filepath.IsAbs(pattern) {
				pattern = filepath.Join(filepath.Dir(path), pattern)
			}
			matches, _ := filepath.Glob(pattern)
			for _, m := range matches {
				dirs = append(dirs, configured(m, depth+1)...)
			}
		case len(words) == 1 && filepath.IsAbs(words[0]):
			dirs = append(dirs, words[0])
		}
	}
	return dirs
}

// A loaded file is one whose needs are still to be looked for.
type loaded struct {
	path  string
	file  *elf.File
	close func() error
	above []string // folders that the files which led here pass on by their RPATH
}

// walk looks for everything the program needs, breadth first as the loader
// does: what a file nearer the program brings in serves those further away.
func (s *search) walk(path string, f *elf.File) {
	queue := []loaded{{path, f, func() error { return nil }, nil}}
	for len(queue) > 0 {
		next := queue[0]
		queue = append(queue[1:], s.needs(next)...)
		next.close()
	}
}

// needs finds the libraries one file asks for and returns those not seen before.
func (s *search) needs(l loaded) (found []loaded) {
	origin := filepath.Dir(l.path)
	if real, err := filepath.EvalSymlinks(l.path); err == nil {
		origin = filepath.Dir(real)
	}
	runpath, _ := l.file.DynString(elf.DT_RUNPATH)
	rpath, _ := l.file.DynString(elf.DT_RPATH)
	above, dirs := l.above, []string(nil)
	if len(runpath) == 0 { // a RUNPATH switches every RPATH off
		above = append(expand(rpath, origin), above...)
		dirs = slices.Clone(above)
	}
	dirs = append(dirs, s.first...)
	dirs = append(dirs, expand(runpath, origin)...)
	dirs = append(dirs, s.last...)

	wanted := map[string][]string{} // library to the versions asked of it
	if needs, err := l.file.DynamicVersionNeeds(); err == nil {
		for _, n := range needs {
			for _, dep := range n.Needs {
				if dep.Flags&elf.VER_FLG_WEAK == 0 {
					wanted[n.Name] = append(wanted[n.Name], dep.Dep)
				}
			}
		}
	}
	names, _ := l.file.ImportedLibraries()
	for _, name := range names {
		if path, seen := s.seen[name]; seen {
			if len(wanted[name]) > 0 && path != "" {
				if lib, err := elf.Open(path); err == nil {
					s.compare(name, lib, wanted[name])
					lib.Close()
				}
			}
			continue
		}
		if len(s.seen) == librariesMax {
			return found
		}
		path, lib := s.open(name, dirs, origin)
		s.seen[name] = path
		if lib == nil {
			if name != filepath.Base(s.loader) {
				s.missing = append(s.missing, name)
			}
			continue
		}
		s.compare(name, lib, wanted[name])
		found = append(found, loaded{path, lib, lib.Close, above})
	}
	return found
}

// open finds a library. Files of another class or processor are passed over,
// as the loader does.
func (s *search) open(name string, dirs []string, origin string) (string, *elf.File) {
	paths := []string{strings.ReplaceAll(name, "$ORIGIN", origin)}
	if !strings.Contains(name, "/") {
		paths = paths[:0]
		for _, dir := range dirs {
			paths = append(paths, filepath.Join(dir, name))
		}
		if name == filepath.Base(s.loader) {
			paths = append(paths, s.loader)
		}
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // never block on a pipe
			continue
		}
		lib, err := elf.Open(path)
		if err != nil {
			continue
		}
		if lib.Class == s.class && lib.Machine == s.machine {
			return path, lib
		}
		lib.Close()
	}
	return "", nil
}

// compare notes the versions asked of lib that it does not define.
func (s *search) compare(name string, lib *elf.File, wanted []string) {
	if len(wanted) == 0 {
		return
	}
	defined, err := lib.DynamicVersions()
	if err != nil || len(defined) == 0 {
		return // an unversioned library satisfies everything
	}
	for _, version := range wanted {
		has := slices.ContainsFunc(defined, func(v elf.DynamicVersion) bool { return v.Name == version })
		if text := version + " of " + name; !has && !slices.Contains(s.versions, text) {
			s.versions = append(s.versions, text)
		}
	}
}

func expand(paths []string, origin string) []string {
	var dirs []string
	for _, list := range paths {
		for dir := range strings.SplitSeq(list, ":") {
			if dir != "" {
				dirs = append(dirs, strings.NewReplacer("$ORIGIN", origin, "${ORIGIN}", origin, "$LIB", "lib64", "${LIB}", "lib64").Replace(dir))
			}
		}
	}
	return dirs
}
