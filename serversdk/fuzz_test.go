package serversdk

import (
	"encoding/json"
	"log/slog"
	"testing"
)

// Whatever the service says, the game server lives.
func FuzzHear(f *testing.F) {
	for _, frame := range []string{
		`{"Action":"CreateGameSession","GameSessionId":"gs","GameProperties":{"a":"1"},"Port":7777}`,
		`{"Action":"CreateGameSession","GameSessionId":null,"GameProperties":null,"MatchmakerData":null}`,
		`{"Action":"CreateGameSession","GameProperties":[{"Key":"a","Value":"1"}]}`,
		`{"Action":"UpdateGameSession","GameSession":{"GameSessionId":"gs","Name":"n"},"UpdateReason":"BACKFILL_FAILED"}`,
		`{"Action":"UpdateGameSession"}`,
		`{"Action":"TerminateProcess","TerminationTime":1795539069080}`,
		`{"Action":"TerminateProcess","TerminationTime":"soon"}`,
		`{"Action":"Dance"}`,
	} {
		f.Add([]byte(frame))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var h head
		if json.Unmarshal(raw, &h) != nil || h.Action == "RefreshConnection" {
			return
		}
		s := &Server{params: Params{Log: slog.New(slog.DiscardHandler)}, callbacks: make(chan func(), 64)}
		s.ready = &ProcessParameters{OnStartGameSession: func(GameSession) {}, OnUpdateGameSession: func(GameSessionUpdate) {}, OnProcessTerminate: func() {}}
		s.hear(h.Action, raw)
		s.hear(h.Action, raw)
		for len(s.callbacks) > 0 {
			(<-s.callbacks)()
		}
	})
}

func FuzzOutcome(f *testing.F) {
	f.Add([]byte(`{"Action":"A","RequestId":"r","StatusCode":200}`))
	f.Add([]byte(`{"Action":"A","RequestId":"r","StatusCode":404,"ErrorMessage":"no"}`))
	f.Add([]byte(`{"Action":"A","RequestId":"r"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := outcome("A", raw); err == nil {
			var h head
			if json.Unmarshal(raw, &h); h.StatusCode != 200 {
				t.Fatalf("%s is a success", raw)
			}
		}
	})
}
