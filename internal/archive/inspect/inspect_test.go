package inspect

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestTarget(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("executable bits are the subject, and Windows has none")
	}
	dir := t.TempDir()
	write := func(name, body string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	loader := write("ld.so", string(image{soname: "ld.so", defines: []string{"GLIBC_2.3"}}.bytes()), 0o755)
	dyn := func(im image) string { im.interp = loader; return string(im.bytes()) }
	write("libs/liba.so", string(image{soname: "liba.so", needed: []string{"libdeep.so"}, runpath: "$ORIGIN/deep"}.bytes()), 0o644)
	write("libs/deep/libdeep.so", string(image{soname: "libdeep.so", defines: []string{"V1", "V2"}}.bytes()), 0o644)
	write("libs/libarm.so", string(image{soname: "libarm.so", machine: elf.EM_AARCH64}.bytes()), 0o644)
	write("libuser.so", string(image{soname: "libuser.so", needed: []string{"libdeep.so"}, versions: map[string]string{"libdeep.so": "V1"}}.bytes()), 0o644)
	write("bin/GameServer", "#!/bin/sh\n", 0o755)
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	folder := write("folder/x", "x", 0o644)

	for _, tt := range []struct {
		name string
		body string
		mode os.FileMode // 0755 if unset
		path string      // instead of a file with body
		at   Place
		want Problem
		say  string
	}{
		{name: "script", body: "#!/bin/sh\necho\n"},
		{name: "script with argument", body: "#! /bin/sh -e\n"},
		{name: "script by env", body: "#!/usr/bin/env sh\n"},
		{name: "script by env with options", body: "#!/usr/bin/env -S A=b sh -x\n"},
		{name: "script without newline", body: "#!/bin/sh"},
		{name: "static program", body: string(image{typ: elf.ET_EXEC}.bytes())},
		{name: "position independent static program", body: string(image{}.bytes())},
		{name: "dynamic program", body: dyn(image{needed: []string{"liba.so", "ld.so"}, rpath: "$ORIGIN/libs"})},
		{name: "by LD_LIBRARY_PATH", body: dyn(image{needed: []string{"liba.so"}}), at: Place{LibraryPath: []string{dir + "/libs"}}},
		{name: "version there", body: dyn(image{needed: []string{"libdeep.so"}, versions: map[string]string{"libdeep.so": "V2"}, runpath: "${ORIGIN}/libs/deep"})},
		{name: "found for the program, used by its library", body: dyn(image{needed: []string{"libuser.so", "libdeep.so"}, runpath: "$ORIGIN:$ORIGIN/libs/deep"})},
		{name: "32 bit on 64", body: string(image{machine: elf.EM_386, typ: elf.ET_EXEC}.bytes())},
		{name: "this test", path: must(os.Executable()), at: Place{OS: runtime.GOOS, Arch: runtime.GOARCH}},

		{name: "missing", path: dir + "/none", want: Missing, say: "check the launch path"},
		{name: "missing in folder", path: dir + "/none", at: Place{Folder: dir}, want: Missing, say: "nor any file called none"},
		{name: "elsewhere", path: dir + "/gameserver", at: Place{Folder: dir}, want: Missing, say: "bin/GameServer does"},
		{name: "dangling", path: dir + "/dangling", want: Missing, say: "link to nowhere"},
		{name: "folder", path: filepath.Dir(folder), want: NotAFile, say: "is a folder"},
		{name: "device", path: "/dev/null", want: NotAFile},
		{name: "empty", body: "", want: Empty},
		{name: "no x bit", body: "#!/bin/sh\n", mode: 0o644, want: NotExecutable, say: "Windows"},
		{name: "no x bit on a program", body: string(image{}.bytes()), mode: 0o600, want: NotExecutable},
		{name: "CRLF", body: "#!/bin/bash\r\necho\r\n", want: WindowsLines, say: `"/bin/bash\r"`},
		{name: "CRLF and no x bit", body: "#!/bin/sh\r\n", mode: 0o644, want: WindowsLines},
		{name: "byte order mark", body: "\ufeff#!/bin/sh\n", want: NoShebang, say: "byte order mark"},
		{name: "no shebang", body: "echo hello\n", want: NoShebang},
		{name: "bare shebang", body: "#!\n", want: NoShebang},
		{name: "interpreter missing", body: "#!/opt/none/python3\n", want: NoInterpreter, say: "/opt/none/python3"},
		{name: "env interpreter missing", body: "#!/usr/bin/env pwsh7\n", want: NoInterpreter, say: "pwsh7"},
		{name: "endless shebang", body: "#!/bin/sh " + strings.Repeat("x", 5000), want: NotAProgram},
		{name: "jar", body: "PK\x03\x04xxxx", want: NotAProgram, say: "java -jar"},
		{name: "noise", body: "\x01\x02\x03", want: NotAProgram, say: "01 02 03"},

		{name: "other processor", body: string(image{machine: elf.EM_AARCH64, interp: "/none"}.bytes()), want: WrongProcessor, say: "arm64"},
		{name: "unknown processor", body: string(image{machine: elf.EM_68K}.bytes()), want: WrongProcessor, say: "EM_68K"},
		{name: "64 bit on 32", body: string(image{}.bytes()), at: Place{Arch: "386"}, want: WrongProcessor},
		{name: "linux on mac", body: string(image{}.bytes()), at: Place{OS: "darwin"}, want: WrongSystem, say: "runs macOS"},
		{name: "windows on linux", body: peImage(0x8664, 0x22), want: WrongSystem, say: "program for Windows"},
		{name: "windows library", body: peImage(0x8664, 0x2022), want: NotAProgram, say: "dotnet"},
		{name: "windows on windows", body: peImage(0x8664, 0x22), at: Place{OS: "windows"}},
		{name: "windows on windows, other processor", body: peImage(0xaa64, 0x22), at: Place{OS: "windows"}, want: WrongProcessor},
		{name: "script on windows", body: "#!/bin/sh\n", at: Place{OS: "windows"}, want: WrongSystem},
		{name: "mac on linux", body: machoImage(), want: WrongSystem, say: "program for macOS"},
		{name: "mac on mac", body: machoImage(), at: Place{OS: "darwin", Arch: "arm64"}},
		{name: "damaged program", body: "\x7fELF\x02\x01\x01", want: NotAProgram, say: "damaged"},
		{name: "damaged windows program", body: "MZ", want: NotAProgram, say: "damaged"},
		{name: "object file", body: string(image{typ: elf.ET_REL}.bytes()), want: NotAProgram, say: "object file"},
		{name: "library", body: string(image{soname: "libx.so"}.bytes()), want: NotAProgram, say: "shared library"},
		{name: "musl", body: string(image{interp: "/lib/ld-musl-m68k.so.1"}.bytes()), want: NoInterpreter, say: "Alpine"},
		{name: "library missing", body: dyn(image{needed: []string{"liba.so", "libnone.so.7"}, rpath: dir + "/libs"}), want: NoLibraries, say: "libnone.so.7"},
		{name: "library of a library missing", body: dyn(image{needed: []string{"libtop.so"}, runpath: "$ORIGIN"}), want: NoLibraries, say: "libother.so"},
		{name: "library for another processor", body: dyn(image{needed: []string{"libarm.so"}, rpath: dir + "/libs"}), want: NoLibraries, say: "libarm.so"},
		{name: "version missing", body: dyn(image{needed: []string{"libdeep.so"}, versions: map[string]string{"libdeep.so": "V3"}, rpath: "$ORIGIN/libs/deep"}), want: NoLibraries, say: "V3 of libdeep.so"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write("libtop.so", string(image{soname: "libtop.so", needed: []string{"libother.so"}}.bytes()), 0o644)
			if tt.path == "" {
				mode := tt.mode
				if mode == 0 {
					mode = 0o755
				}
				tt.path = write("target", tt.body, mode)
				if err := os.Chmod(tt.path, mode); err != nil {
					t.Fatal(err)
				}
			}
			if tt.at.OS == "" {
				tt.at.OS = "linux"
			}
			if tt.at.Arch == "" {
				tt.at.Arch = "amd64"
			}
			f := Target(tt.path, tt.at)
			if f.Problem != tt.want || !strings.Contains(f.Sentence, tt.say) {
				t.Fatalf("got %q: %q\nwant %q saying %q", f.Problem, f.Sentence, tt.want, tt.say)
			}
			if (f.Problem == None) != (f.Sentence == "") {
				t.Errorf("problem %q with sentence %q", f.Problem, f.Sentence)
			}
			if f.Repairable != (tt.want == NotExecutable) {
				t.Errorf("repairable: %v", f.Repairable)
			}
			if f.Repairable {
				if err := Repair(tt.path); err != nil {
					t.Fatal(err)
				}
				if again := Target(tt.path, tt.at); again.Problem != None {
					t.Errorf("after Repair: %s", again.Sentence)
				}
			}
		})
	}
}

func must(path string, err error) string {
	if err != nil {
		panic(err)
	}
	return path
}

func FuzzTarget(f *testing.F) {
	f.Add(image{interp: "/lib64/ld-linux-x86-64.so.2", needed: []string{"libc.so.6"}, versions: map[string]string{"libc.so.6": "GLIBC_2.99"}}.bytes())
	f.Add([]byte(peImage(0x8664, 0x22)))
	f.Add([]byte(machoImage()))
	f.Add([]byte("#!/usr/bin/env -S sh\r\n"))
	f.Add([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x01"))
	path := filepath.Join(f.TempDir(), "target")
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := os.WriteFile(path, body, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, goos := range []string{"linux", "windows", "darwin"} {
			if f := Target(path, Place{OS: goos, Arch: "amd64"}); (f.Problem == None) != (f.Sentence == "") {
				t.Errorf("problem %q with sentence %q", f.Problem, f.Sentence)
			}
		}
	})
}

// peImage is the head of a Windows program.
func peImage(machine, characteristics uint16) string {
	b := make([]byte, 512)
	copy(b, "MZ")
	le := binary.LittleEndian
	le.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00")
	le.PutUint16(b[0x44:], machine)
	le.PutUint16(b[0x56:], characteristics)
	return string(b)
}

// machoImage is the head of a macOS program for arm64.
func machoImage() string {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xfeedfacf)
	for _, v := range []uint32{0x0100000c, 0, 2, 0, 0, 0, 0} {
		b = le.AppendUint32(b, v)
	}
	return string(append(b, make([]byte, 64)...))
}
