package inspect

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Names of processors are Go's, so that they can be compared with Place.Arch.
var elfArchs = map[elf.Machine]string{
	elf.EM_X86_64: "amd64", elf.EM_386: "386", elf.EM_AARCH64: "arm64", elf.EM_ARM: "arm",
	elf.EM_RISCV: "riscv64", elf.EM_PPC64: "ppc64le", elf.EM_S390: "s390x", elf.EM_LOONGARCH: "loong64",
}

var peArchs = map[uint16]string{
	pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_I386: "386",
	pe.IMAGE_FILE_MACHINE_ARM64: "arm64", pe.IMAGE_FILE_MACHINE_ARMNT: "arm",
}

var machoArchs = map[macho.Cpu]string{
	macho.CpuAmd64: "amd64", macho.Cpu386: "386", macho.CpuArm64: "arm64", macho.CpuArm: "arm",
}

var machoMagics = []string{"\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe"}

// runsOn says whether a processor runs programs of arch.
func runsOn(processor, arch string) bool {
	return processor == arch || processor == "amd64" && arch == "386" || processor == "arm64" && arch == "arm"
}

func systemName(goos string) string {
	switch goos {
	case "linux":
		return "Linux"
	case "windows":
		return "Windows"
	case "darwin":
		return "macOS"
	}
	return goos
}

func wrongSystem(path, of string, at Place) Finding {
	return found(WrongSystem, "%s is a program for %s and this instance runs %s; build the server for %[3]s and upload that", path, of, systemName(at.OS))
}

func wrongProcessor(path, arch string, at Place) Finding {
	return found(WrongProcessor, "%s is a program for %s processors and this instance has %s; build the server for %[3]s and upload that", path, arch, at.Arch)
}

func elfProgram(path string, file io.ReaderAt, at Place) Finding {
	f, err := elf.NewFile(file)
	if err != nil {
		return found(NotAProgram, "%s begins as a Linux program but is damaged (%v); upload it again", path, err)
	}
	if at.OS != "linux" {
		return wrongSystem(path, "Linux", at)
	}
	arch, known := elfArchs[f.Machine]
	if !known {
		arch = f.Machine.String()
	}
	if !runsOn(at.Arch, arch) {
		return wrongProcessor(path, arch, at)
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return found(NotAProgram, "%s is an object file, not a program; link it first", path)
	}
	loader, dynamic := interpreter(f)
	if !dynamic {
		if soname, _ := f.DynString(elf.DT_SONAME); len(soname) > 0 {
			return found(NotAProgram, "%s is a shared library, not a program; let the launch path name the program that uses it", path)
		}
		return Finding{}
	}
	if _, err := os.Stat(loader); err != nil {
		hint := "install it in install.sh or link the server statically"
		if strings.Contains(loader, "musl") {
			hint = "it was built for Alpine Linux (musl): build it on a distribution with glibc or link it statically"
		}
		return found(NoInterpreter, "%s needs the loader %s, which is not on this instance; %s", path, loader, hint)
	}
	s := newSearch(f, at, loader)
	s.walk(path, f)
	switch {
	case len(s.missing) > 0:
		return found(NoLibraries, "%s needs shared libraries that are not on this instance: %s; put them beside it in the build or install them in install.sh", path, strings.Join(s.missing, ", "))
	case len(s.versions) > 0:
		return found(NoLibraries, "%s was built on a newer system than this instance: %s; build it on an older distribution or link it statically", path, strings.Join(s.versions, ", "))
	}
	return Finding{}
}

func peProgram(path string, file io.ReaderAt, at Place) Finding {
	f, err := pe.NewFile(file)
	if err != nil {
		return found(NotAProgram, "%s begins as a Windows program but is damaged (%v); upload it again", path, err)
	}
	if f.Characteristics&pe.IMAGE_FILE_DLL != 0 || managed(f) && strings.HasSuffix(strings.ToLower(path), ".dll") {
		return found(NotAProgram, "%s is a library, not a program; a .NET one is started with dotnet as launch path and this file as parameter", path)
	}
	if at.OS != "windows" {
		return wrongSystem(path, "Windows", at)
	}
	arch, known := peArchs[f.Machine]
	if !known {
		arch = fmt.Sprintf("unknown (%#x)", f.Machine)
	}
	if !runsOn(at.Arch, arch) && !(at.Arch == "arm64" && arch == "amd64") { // Windows on ARM emulates
		return wrongProcessor(path, arch, at)
	}
	return Finding{}
}

// managed says whether a PE file holds .NET code.
func managed(f *pe.File) bool {
	const comDescriptor = pe.IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR
	switch h := f.OptionalHeader.(type) {
	case *pe.OptionalHeader32:
		return h.NumberOfRvaAndSizes > comDescriptor && h.DataDirectory[comDescriptor].Size > 0
	case *pe.OptionalHeader64:
		return h.NumberOfRvaAndSizes > comDescriptor && h.DataDirectory[comDescriptor].Size > 0
	}
	return false
}

func machoProgram(path string, file io.ReaderAt, at Place) Finding {
	var archs []string
	if fat, err := macho.NewFatFile(file); err == nil {
		for _, a := range fat.Arches {
			archs = append(archs, machoArchs[a.Cpu])
		}
	} else if f, err := macho.NewFile(file); err == nil {
		archs = append(archs, machoArchs[f.Cpu])
	} else {
		return found(NotAProgram, "%s begins as a macOS program or a Java class but is neither (%v)", path, err)
	}
	if at.OS != "darwin" {
		return wrongSystem(path, "macOS", at)
	}
	if !slices.ContainsFunc(archs, func(a string) bool { return runsOn(at.Arch, a) || at.Arch == "arm64" && a == "amd64" }) { // Rosetta
		return wrongProcessor(path, strings.Join(archs, " and "), at)
	}
	return Finding{}
}
