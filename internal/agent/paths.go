package agent

import (
	"path/filepath"
	"strings"
	"unicode"
)

// The install roots of behaviour 1.3, as launch paths name them.
const (
	linuxRoot   = "/local/game"
	windowsRoot = `C:\game`
)

// localPath is where the file that a launch path names lies on this machine.
// Builds speak of an install root; it is the game folder, wherever that is.
func localPath(game, launchPath string) string {
	if rest, ok := underRoot(launchPath); ok {
		return filepath.Join(game, filepath.FromSlash(strings.ReplaceAll(rest, `\`, "/")))
	}
	if filepath.IsAbs(launchPath) {
		return launchPath
	}
	return filepath.Join(game, filepath.FromSlash(launchPath))
}

// underRoot cuts the install root of either system off p.
func underRoot(p string) (rest string, ok bool) {
	for _, root := range []string{linuxRoot, windowsRoot, "C:/game"} {
		if len(p) < len(root) || !strings.EqualFold(p[:len(root)], root) || root == linuxRoot && p[:len(root)] != root {
			continue
		}
		if rest := p[len(root):]; rest == "" || rest[0] == '/' || rest[0] == '\\' {
			return rest, true
		}
	}
	return "", false
}

// localParameters makes mentions of the Linux install root in parameters point
// to the game folder, where they begin a word or follow a '=' or a quote.
func localParameters(game, parameters string) string {
	if game == linuxRoot || !strings.Contains(parameters, linuxRoot) {
		return parameters
	}
	var b strings.Builder
	for i := 0; i < len(parameters); {
		begins := i == 0 || strings.ContainsRune(` ='",`, rune(parameters[i-1]))
		rest, found := strings.CutPrefix(parameters[i:], linuxRoot)
		if begins && found && (rest == "" || strings.ContainsRune(`/ '",`, rune(rest[0]))) {
			b.WriteString(game)
			i += len(linuxRoot)
			continue
		}
		b.WriteByte(parameters[i])
		i++
	}
	return b.String()
}

// splitParameters makes arguments of the parameters of an entry: words between
// spaces. Quotes of either kind keep spaces together and are taken off; inside
// double ones a backslash keeps a quote or a backslash. There is no other
// expansion.
func splitParameters(s string) []string {
	var (
		args   []string
		word   strings.Builder
		inWord bool
		quote  rune
		runes  = []rune(s)
	)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case quote == '"' && r == '\\' && i+1 < len(runes) && (runes[i+1] == '"' || runes[i+1] == '\\'):
			i++
			word.WriteRune(runes[i])
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, inWord = r, true
		case unicode.IsSpace(r):
			if inWord {
				args = append(args, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if inWord {
		args = append(args, word.String())
	}
	return args
}
