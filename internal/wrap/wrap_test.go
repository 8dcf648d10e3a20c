package wrap

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/serversdk"
)

func TestExpand(t *testing.T) {
	v := Values{Port: 7777, Address: "10.0.0.1", Session: serversdk.GameSession{
		GameSessionID: "arn:s", Name: "Friday", MaximumPlayerSessionCount: 8, GameSessionData: "{}",
		GameProperties: map[string]string{"map": "ctf5"},
	}}
	for in, want := range map[string]string{
		"sv_port {port}":           "sv_port 7777",
		"{address}:{port}":         "10.0.0.1:7777",
		"{session} {session.name}": "arn:s Friday",
		"{session.players}":        "8",
		"{session.data}":           "{}",
		"{property.map}":           "ctf5",
		"{property.map:dm1}":       "ctf5",
		"{property.mode:dm}":       "dm",
		"{property.mode}":          "",
		`{{"a": {{}}}}`:            `{"a": {}}`,
		"nothing":                  "nothing",
		"":                         "",
		"{port}{port}":             "77777777",
	} {
		got, err := Expand([]string{in}, v)
		if err != nil || got[0] != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"{prt}", "{port", "port}", "{}"} {
		if got, err := Expand([]string{in}, v); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("a {port} {{b}} {property.x:y}")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Expand([]string{s}, Values{Port: 1})
		if err != nil {
			return
		}
		if len(got) != 1 {
			t.Error(cmp.Diff(s, got))
		}
	})
}
