package sqldb

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSuccessor(t *testing.T) {
	for prefix, want := range map[string]string{
		"":                     end.Value,
		"a":                    "b",
		"status/":              "status0",
		"a\x7f":                "a\u0080",
		"a\u07ff":              "a\u0800",
		"a\ud7ff":              "a\ue000",
		"a\uffff":              "a\U00010000",
		"a\U0010FFFF":          "b",
		"\U0010FFFF\U0010FFFF": end.Value,
		"é":                    "ê",
	} {
		if got := successor(prefix); got != want {
			t.Errorf("successor(%q) = %q, want %q", prefix, got, want)
		}
	}
}

// FuzzSuccessor: between a prefix and its successor is exactly what starts
// with the prefix.
func FuzzSuccessor(f *testing.F) {
	f.Add("a/", "a/b")
	f.Add("a\ud7ff", "a\ue000")
	f.Add("\U0010FFFF", "\U0010FFFFx")
	f.Fuzz(func(t *testing.T, prefix, s string) {
		if !utf8.ValidString(prefix) || !utf8.ValidString(s) {
			return
		}
		next := successor(prefix)
		if next != end.Value && !utf8.ValidString(next) {
			t.Errorf("successor(%q) = %q is no text", prefix, next)
		}
		for _, s := range []string{s, prefix + s} {
			if between := prefix <= s && s < next; between != strings.HasPrefix(s, prefix) {
				t.Errorf("prefix %q, successor %q: %q is between: %v", prefix, next, s, between)
			}
		}
	})
}
