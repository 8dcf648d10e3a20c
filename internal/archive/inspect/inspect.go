// Package inspect explains by looking why a program will not start: a launch
// path that names nothing, a lost executable bit, a program for another
// processor or system, a missing shared library, a script with Windows line ends.
//
// It only reads files; it starts nothing and knows nothing of fleets. What it
// says is a sentence for the person who made the build:
//
//	if f := inspect.Target("/local/game/server", inspect.Place{Folder: "/local/game"}); f.Problem != inspect.None {
//		log(f.Sentence)
//	}
package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Problem classifies what stands in the way of a start.
type Problem string

const (
	None           Problem = ""
	Missing        Problem = "missing"         // no such file
	NotAFile       Problem = "not a file"      // a folder, a device
	Unreadable     Problem = "unreadable"      // no permission, a broken disk
	Empty          Problem = "empty"           // no content
	NotExecutable  Problem = "not executable"  // a program or script without the x bit: repairable
	WrongSystem    Problem = "wrong system"    // a program for another operating system
	WrongProcessor Problem = "wrong processor" // a program for another processor
	NoInterpreter  Problem = "no interpreter"  // what is to run it is not there
	NoLibraries    Problem = "no libraries"    // shared libraries, or versions of them, are not there
	WindowsLines   Problem = "windows lines"   // a script whose lines end in CR LF
	NoShebang      Problem = "no shebang"      // text that does not say what runs it
	NotAProgram    Problem = "not a program"   // anything else
)

// A Finding is what Target saw. With Problem None the file should start, and
// Sentence is empty.
type Finding struct {
	Problem  Problem
	Sentence string
	// Repairable means that Repair puts it right.
	Repairable bool
}

// Place is where the target is to run. Its zero value is this machine.
type Place struct {
	OS   string // as runtime.GOOS
	Arch string // as runtime.GOARCH
	// Folder is the build's folder, searched for the file when the path names
	// nothing. Empty: not searched.
	Folder string
	// LibraryPath are folders searched for shared libraries first, those of
	// LD_LIBRARY_PATH in the program's environment.
	LibraryPath []string
	// Path are the folders in which `#!/usr/bin/env NAME` looks. Empty: those
	// of this process.
	Path []string
}

func (p Place) withDefaults() Place {
	if p.OS == "" {
		p.OS = runtime.GOOS
	}
	if p.Arch == "" {
		p.Arch = runtime.GOARCH
	}
	if p.Path == nil {
		p.Path = filepath.SplitList(os.Getenv("PATH"))
	}
	return p
}

// Target looks at the file a server process is to be started from.
func Target(path string, at Place) Finding {
	at = at.withDefaults()
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing(path, at)
	case err != nil:
		return found(Unreadable, "%s cannot be looked at (%v); check the permissions of its folders", path, reason(err))
	case info.IsDir():
		return found(NotAFile, "%s is a folder; let the launch path name the program in it", path)
	case !info.Mode().IsRegular():
		return found(NotAFile, "%s is not a file but %s; let the launch path name a program", path, info.Mode().Type())
	case info.Size() == 0:
		return found(Empty, "%s is empty; build and upload it again", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return found(Unreadable, "%s cannot be read (%v); check its permissions", path, reason(err))
	}
	defer file.Close()

	head := make([]byte, 4096)
	n, err := io.ReadFull(file, head)
	if err != nil && err != io.ErrUnexpectedEOF {
		return found(Unreadable, "%s cannot be read (%v)", path, reason(err))
	}
	f := content(path, head[:n], file, at)
	if f.Problem == None && at.OS != "windows" && info.Mode()&0o111 == 0 {
		f = found(NotExecutable, "%s has no executable bit, which zip tools on Windows do not keep", path)
		f.Repairable = true
	}
	return f
}

// Repair gives path the executable bit for everybody who may read it.
func Repair(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm()|info.Mode().Perm()&0o444>>2)
}

// content judges by the first bytes.
func content(path string, head []byte, file io.ReaderAt, at Place) Finding {
	switch magic := string(head[:min(len(head), 4)]); {
	case magic == "\x7fELF":
		return elfProgram(path, file, at)
	case magic[:min(len(magic), 2)] == "MZ":
		return peProgram(path, file, at)
	case slices.Contains(machoMagics, magic):
		return machoProgram(path, file, at)
	case magic[:min(len(magic), 2)] == "#!":
		return script(path, head, at)
	case strings.HasPrefix(string(head), "\ufeff#!"):
		return found(NoShebang, "%s begins with a byte order mark before its #! line, so nothing is found to run it; save it as UTF-8 without one", path)
	case strings.HasPrefix(magic, "PK"):
		return found(NotAProgram, "%s is a zip or Java archive; start it with the program that runs it (java -jar …) as launch path", path)
	case !isText(head):
		return found(NotAProgram, "%s is not a program of a kind known here (it begins with % x)", path, head[:min(len(head), 4)])
	case at.OS == "windows" && slices.Contains([]string{".bat", ".cmd"}, strings.ToLower(filepath.Ext(path))):
		return Finding{}
	}
	return found(NoShebang, "%s is text without a #! line, so nothing says what runs it; let it begin with #!/bin/sh or the like", path)
}

func script(path string, head []byte, at Place) Finding {
	if at.OS == "windows" {
		return found(WrongSystem, "%s is a Unix script and this is Windows; make the launch path a program or a .bat file", path)
	}
	line, _, whole := bytes.Cut(head, []byte("\n"))
	if bytes.HasSuffix(line, []byte("\r")) {
		return found(WindowsLines, `%s has Windows line ends (CR LF), so the system looks for a program called %q; save it with LF line ends`, path, strings.TrimSpace(string(line[2:len(line)-1]))+"\r")
	}
	if !whole && len(head) == 4096 {
		return found(NotAProgram, "%s has a #! line without end", path)
	}
	words := strings.Fields(string(line[2:]))
	if len(words) == 0 {
		return found(NoShebang, "%s has a #! line that names nothing; let it begin with #!/bin/sh or the like", path)
	}
	if !runs(words[0]) {
		return found(NoInterpreter, "%s is to be run by %s, which is not on this instance; install it in install.sh or put it into the build", path, words[0])
	}
	if filepath.Base(words[0]) == "env" {
		for _, name := range words[1:] {
			if strings.HasPrefix(name, "-") || strings.Contains(name, "=") {
				continue
			}
			if !strings.Contains(name, "/") && !slices.ContainsFunc(at.Path, func(dir string) bool { return runs(filepath.Join(dir, name)) }) {
				return found(NoInterpreter, "%s is to be run by %s, which is not on this instance's PATH; install it in install.sh or put it into the build", path, name)
			}
			break
		}
	}
	return Finding{}
}

// runs says whether path is a file that can be executed.
func runs(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func isText(head []byte) bool {
	return !bytes.ContainsFunc(head, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\r\f\x1b", r) })
}

// missing looks for what the path may have meant.
func missing(path string, at Place) Finding {
	if link, err := os.Readlink(path); err == nil {
		return found(Missing, "%s is a link to %s, which does not exist", path, link)
	}
	const advice = "; check the launch path against the build"
	if at.Folder == "" {
		return found(Missing, "%s does not exist"+advice, path)
	}
	const searched = 100_000 // files; then the search costs more than it helps
	base, seen, match := filepath.Base(path), 0, ""
	filepath.WalkDir(at.Folder, func(p string, d fs.DirEntry, err error) error {
		if seen++; seen > searched {
			return filepath.SkipAll
		}
		name := filepath.Base(p)
		if err == nil && !d.IsDir() && (strings.EqualFold(name, base) || strings.EqualFold(strings.TrimSuffix(name, ".exe"), base)) {
			match = p
			return filepath.SkipAll
		}
		return nil
	})
	if match != "" {
		return found(Missing, "%s does not exist, but %s does; set the launch path to that", path, match)
	}
	return found(Missing, "%s does not exist, nor any file called %s in the build"+advice, path, base)
}

func found(p Problem, format string, args ...any) Finding {
	return Finding{Problem: p, Sentence: fmt.Sprintf(format, args...)}
}

// reason drops the path an error of os repeats.
func reason(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
