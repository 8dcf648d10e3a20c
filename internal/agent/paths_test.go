package agent_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/chairlift-games/chairlift/internal/agent"
)

func TestLocalPath(t *testing.T) {
	game := filepath.FromSlash("/srv/i-1/game")
	tests := []struct{ launchPath, want string }{
		{"/local/game/server", "/srv/i-1/game/server"},
		{"/local/game/bin/server", "/srv/i-1/game/bin/server"},
		{`C:\game\server.exe`, "/srv/i-1/game/server.exe"},
		{`c:\Game\bin\server.exe`, "/srv/i-1/game/bin/server.exe"},
		{"C:/game/bin/server.exe", "/srv/i-1/game/bin/server.exe"},
		{"/local/gamer/server", "/local/gamer/server"}, // another folder
		{"/LOCAL/game/server", "/LOCAL/game/server"},   // case counts on Linux
		{"/usr/bin/server", "/usr/bin/server"},
		{"bin/server", "/srv/i-1/game/bin/server"},
		{"/local/game", "/srv/i-1/game"},
	}
	for _, tt := range tests {
		if got := agent.LocalPath(game, tt.launchPath); got != filepath.FromSlash(tt.want) {
			t.Errorf("%s lies at %s, want %s", tt.launchPath, got, tt.want)
		}
	}
}

func TestLocalParameters(t *testing.T) {
	tests := []struct{ parameters, want string }{
		{"-config /local/game/server.cfg", "-config /g/server.cfg"},
		{"-config=/local/game/a,/local/game/b", "-config=/g/a,/g/b"},
		{`-dir "/local/game"`, `-dir "/g"`},
		{"/local/game", "/g"},
		{"-url http://x/local/game/y -d /local/gamer", "-url http://x/local/game/y -d /local/gamer"},
		{"-port 7777", "-port 7777"},
	}
	for _, tt := range tests {
		if got := agent.LocalParameters("/g", tt.parameters); got != tt.want {
			t.Errorf("%s becomes %s, want %s", tt.parameters, got, tt.want)
		}
	}
	if got := agent.LocalParameters("/local/game", "-c /local/game/x"); got != "-c /local/game/x" {
		t.Errorf("on an isolated instance parameters become %s", got)
	}
}

func TestSplitParameters(t *testing.T) {
	tests := []struct {
		parameters string
		want       []string
	}{
		{"", nil},
		{"  ", nil},
		{"-port 7777  -log\tx", []string{"-port", "7777", "-log", "x"}},
		{`-name "My Server" -motd 'it is "on"'`, []string{"-name", "My Server", "-motd", `it is "on"`}},
		{`-empty "" -joined a"b c"d`, []string{"-empty", "", "-joined", "ab cd"}},
		{`-q "say \"hi\" \\ \n"`, []string{"-q", `say "hi" \ \n`}},
		{`C:\game\maps 'C:\a b'`, []string{`C:\game\maps`, `C:\a b`}},
		{`-open "to the end`, []string{"-open", "to the end"}},
	}
	for _, tt := range tests {
		if got := agent.SplitParameters(tt.parameters); !slices.Equal(got, tt.want) {
			t.Errorf("%s splits into %q, want %q", tt.parameters, got, tt.want)
		}
	}
}

// FuzzSplitParameters: words without quotes and backslashes are those of
// strings.Fields, and a word put into single quotes comes back whole.
func FuzzSplitParameters(f *testing.F) {
	for _, s := range []string{"-a b", `"a b" 'c'`, `\"`, "a\u00a0b", "é 'ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words := agent.SplitParameters(s)
		if !strings.ContainsAny(s, `"'\`) && !slices.Equal(words, strings.Fields(s)) && strings.ToValidUTF8(s, "") == s {
			t.Errorf("%q splits into %q", s, words)
		}
		if strings.ToValidUTF8(s, "") == s && !strings.Contains(s, "'") {
			if quoted := agent.SplitParameters("x '" + s + "' y"); !slices.Equal(quoted, []string{"x", s, "y"}) {
				t.Errorf("%q in quotes splits into %q", s, quoted)
			}
		}
		for _, w := range words {
			if strings.ContainsFunc(w, unicode.IsSpace) && !strings.ContainsAny(s, `"'`) {
				t.Errorf("%q has the word %q", s, w)
			}
		}
	})
}

func TestCleanEnvironment(t *testing.T) {
	env := []string{"PATH=/bin", "CHAIRLIFT_AGENT_TOKEN_FILE=/x", "AWS_SECRET_ACCESS_KEY=s", "aws_session_token=t", "GAMELIFT_SDK_AUTH_TOKEN=old", "HOME=/root", "MY_AWS_NOTE=kept"}
	if got, want := agent.CleanEnvironment(env), []string{"PATH=/bin", "HOME=/root", "MY_AWS_NOTE=kept"}; !slices.Equal(got, want) {
		t.Errorf("servers inherit %q, want %q", got, want)
	}
}
