package archive

import (
	"path"
	"strings"
	"unicode/utf8"
)

// clean turns the name of an entry into a slash-separated path inside the
// archive's folder, without "." parts and without a slash at the end, or says
// why it cannot be one. The folder itself ("./") is the empty path.
//
// Some Windows tools write backslashes where the zip format wants slashes. They
// are taken for what their maker meant, so every check sees them as separators.
func clean(raw string) (name string, backslashes bool, err *Refused) {
	name = raw
	if !utf8.ValidString(name) {
		name = fromCP437(name)
	}
	if strings.Contains(name, `\`) {
		backslashes = true
		name = strings.ReplaceAll(name, `\`, "/")
	}
	switch {
	case name == "":
		return "", false, refuse(raw, "has no name; make the zip again with another tool")
	case strings.ContainsRune(name, 0):
		return "", false, refuse(raw, "has a zero byte in its name; rename the file and zip again")
	case len(name) > nameMaxBytes:
		return "", false, refuse(raw, "has a name of %d bytes, more than the %d a path may have; shorten it and zip again", len(name), nameMaxBytes)
	case name[0] == '/':
		return "", false, refuse(raw, "has an absolute path; zip the content of the build's folder with names relative to it")
	case hasDrive(name):
		return "", false, refuse(raw, "begins with a drive letter; zip the content of the build's folder with names relative to it")
	}
	parts := strings.Split(name, "/")
	kept := parts[:0]
	for _, part := range parts {
		switch {
		case part == "" || part == ".":
			continue
		case part == "..":
			return "", false, refuse(raw, `leads out of the build's folder ("..") and is not unpacked; zip the folder from inside`)
		case len(part) > componentMaxBytes:
			return "", false, refuse(raw, "has a part of %d bytes, more than the %d a file name may have; shorten it and zip again", len(part), componentMaxBytes)
		}
		kept = append(kept, part)
	}
	return strings.Join(kept, "/"), backslashes, nil
}

func hasDrive(name string) bool {
	return len(name) >= 2 && name[1] == ':' && ('a' <= name[0]|0x20 && name[0]|0x20 <= 'z')
}

// checkLink refuses a link that could lead out of the archive's folder. A link
// may climb first and then descend. One that climbs after it descended is
// refused even if it looks harmless: where it ends depends on other links.
func checkLink(raw, name, target string) *Refused {
	target = strings.ReplaceAll(target, `\`, "/")
	switch {
	case target == "":
		return refuse(raw, "is a link to nothing; remove it and zip again")
	case len(target) > linkMaxBytes:
		return refuse(raw, "is a link of %d bytes, more than the %d a link may have; remove it and zip again", len(target), linkMaxBytes)
	case strings.ContainsRune(target, 0):
		return refuse(raw, "is a link with a zero byte in it; remove it and zip again")
	case target[0] == '/' || hasDrive(target):
		return refuse(raw, "is a link to the absolute path %s; make it relative or zip the file it points to", quoted(target))
	}
	depth := strings.Count(name, "/") // folders between the link and the top
	descended := false
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == "" || part == ".":
		case part == ".." && descended:
			return refuse(raw, `is a link to %s, which climbs after it descended; point it straight at its target`, quoted(target))
		case part == "..":
			if depth--; depth < 0 {
				return refuse(raw, "is a link to %s, outside the build's folder; zip the file it points to", quoted(target))
			}
		default:
			descended = true
		}
	}
	return nil
}

// tree remembers which names an archive has used, and as what.
type tree struct {
	nodes  map[string]node
	folded map[string]string // lower case to the first spelling
	fold   bool

	collision [2]string // the first two names that differ only in case
}

type node struct {
	kind   kind
	listed bool // an entry of its own, not only implied by a longer name
}

type kind uint8

const (
	folder kind = iota + 1
	file
	link
)

func (k kind) String() string {
	return [...]string{"nothing", "a folder", "a file", "a link"}[k]
}

func newTree(fold bool) *tree {
	return &tree{nodes: map[string]node{}, folded: map[string]string{}, fold: fold}
}

// add enters one name. A folder may be listed twice, nothing else may.
func (t *tree) add(raw, name string, k kind) *Refused {
	for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
		n, seen := t.nodes[parent]
		if seen && n.kind != folder {
			return refuse(raw, "lies in %s, which the archive also has as %s; remove one and zip again", quoted(parent), n.kind)
		}
		if seen {
			break // its own parents were entered with it
		}
		t.nodes[parent] = node{kind: folder}
		if err := t.foldCase(raw, parent); err != nil {
			return err
		}
	}
	n, seen := t.nodes[name]
	switch {
	case !seen:
		t.nodes[name] = node{kind: k, listed: true}
		return t.foldCase(raw, name)
	case n.kind == folder && k == folder:
		t.nodes[name] = node{kind: folder, listed: true}
		return nil
	case n.kind != k:
		return refuse(raw, "is in the archive twice, as %s and as %s; remove one and zip again", n.kind, k)
	}
	return refuse(raw, "is in the archive twice, and only its maker knows which is meant; remove one and zip again")
}

func (t *tree) foldCase(raw, name string) *Refused {
	lower := strings.ToLower(name)
	other, seen := t.folded[lower]
	if !seen {
		t.folded[lower] = name
		return nil
	}
	if t.fold {
		return refuse(raw, "differs from %s only in case, and they would be one file where this build runs; rename one and zip again", quoted(other))
	}
	if t.collision[0] == "" {
		t.collision = [2]string{other, name}
	}
	return nil
}

// single gives the one folder everything lies in, or "".
func (t *tree) single() string {
	top := ""
	for name, n := range t.nodes {
		first, _, deeper := strings.Cut(name, "/")
		if !deeper && n.kind != folder || top != "" && top != first {
			return ""
		}
		top = first
	}
	return top
}

// fromCP437 reads a name that is not UTF-8 as the code page zip names are in
// when nothing else is said (APPNOTE 4.4.4, general purpose bit 11 unset).
func fromCP437(name string) string {
	const upper = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0"
	runes := []rune(upper)
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c < 0x80 {
			b.WriteByte(c)
		} else {
			b.WriteRune(runes[c-0x80])
		}
	}
	return b.String()
}
