package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
)

// An image is as much of a 64-bit ELF file as the loader's questions need.
type image struct {
	machine  elf.Machine
	typ      elf.Type
	interp   string
	soname   string
	needed   []string
	rpath    string
	runpath  string
	versions map[string]string // needed library to the version asked of it
	defines  []string          // versions this library has
}

func (im image) bytes() []byte {
	if im.machine == 0 {
		im.machine = elf.EM_X86_64
	}
	if im.typ == 0 {
		im.typ = elf.ET_DYN
	}
	le := binary.LittleEndian
	strs := []byte{0}
	str := func(s string) uint32 {
		at := uint32(len(strs))
		strs = append(append(strs, s...), 0)
		return at
	}

	var dynamic []byte
	tag := func(t elf.DynTag, s string) {
		dynamic = le.AppendUint64(le.AppendUint64(dynamic, uint64(t)), uint64(str(s)))
	}
	for _, n := range im.needed {
		tag(elf.DT_NEEDED, n)
	}
	for t, s := range map[elf.DynTag]string{elf.DT_SONAME: im.soname, elf.DT_RPATH: im.rpath, elf.DT_RUNPATH: im.runpath} {
		if s != "" {
			tag(t, s)
		}
	}
	dynamic = append(dynamic, make([]byte, 16)...)

	var needs, defs []byte
	for i, n := range im.needed {
		v := im.versions[n]
		if v == "" {
			v = "ANY"
		}
		next := uint32(32)
		if i == len(im.needed)-1 {
			next = 0
		}
		flags := uint16(0)
		if v == "ANY" {
			flags = 2 // weak
		}
		needs = le.AppendUint16(needs, 1)
		needs = le.AppendUint16(needs, 1)
		needs = le.AppendUint32(needs, str(n))
		needs = le.AppendUint32(needs, 16)
		needs = le.AppendUint32(needs, next)
		needs = le.AppendUint32(needs, 0) // hash
		needs = le.AppendUint16(needs, flags)
		needs = le.AppendUint16(needs, uint16(2+i))
		needs = le.AppendUint32(needs, str(v))
		needs = le.AppendUint32(needs, 0)
	}
	for i, v := range im.defines {
		next := uint32(28)
		if i == len(im.defines)-1 {
			next = 0
		}
		for _, half := range []uint16{1, 0, uint16(2 + i), 1} {
			defs = le.AppendUint16(defs, half)
		}
		for _, word := range []uint32{0, 20, next, str(v), 0} {
			defs = le.AppendUint32(defs, word)
		}
	}

	type section struct {
		typ  elf.SectionType
		link uint32
		body []byte
		size uint64 // of one record
	}
	sections := []section{
		{typ: elf.SHT_NULL},
		{typ: elf.SHT_STRTAB}, // filled below
		{typ: elf.SHT_DYNAMIC, link: 1, body: dynamic, size: 16},
		{typ: elf.SHT_DYNSYM, link: 1, body: make([]byte, 48), size: 24},
		{typ: elf.SHT_GNU_VERSYM, link: 3, body: make([]byte, 4), size: 2},
		{typ: elf.SHT_GNU_VERNEED, link: 1, body: needs},
		{typ: elf.SHT_GNU_VERDEF, link: 1, body: defs},
	}
	sections[1].body = strs

	const headSize, progSize, sectSize = 64, 56, 64
	var body []byte
	interpAt := uint64(headSize + progSize)
	body = append(body, im.interp+"\x00"...)
	var table []byte
	for _, s := range sections {
		at := interpAt + uint64(len(body))
		body = append(body, s.body...)
		table = binary.LittleEndian.AppendUint32(table, 0)
		table = le.AppendUint32(table, uint32(s.typ))
		for _, v := range []uint64{0, 0, at, uint64(len(s.body))} {
			table = le.AppendUint64(table, v)
		}
		table = le.AppendUint32(table, s.link)
		table = le.AppendUint32(table, 0)
		table = le.AppendUint64(table, 1)
		table = le.AppendUint64(table, s.size)
	}
	var out bytes.Buffer
	binary.Write(&out, le, elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1},
		Type:  uint16(im.typ), Machine: uint16(im.machine), Version: 1,
		Phoff: headSize, Shoff: interpAt + uint64(len(body)), Ehsize: headSize,
		Phentsize: progSize, Phnum: 1, Shentsize: sectSize, Shnum: uint16(len(sections)), Shstrndx: 1,
	})
	prog := elf.Prog64{Type: uint32(elf.PT_LOAD)}
	if im.interp != "" {
		prog = elf.Prog64{Type: uint32(elf.PT_INTERP), Off: interpAt, Filesz: uint64(len(im.interp) + 1)}
	}
	binary.Write(&out, le, prog)
	return slices.Concat(out.Bytes(), body, table)
}
