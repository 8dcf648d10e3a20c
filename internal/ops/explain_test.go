package ops

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// says checks that each of the words is in some sentence.
func says(t *testing.T, sentences []string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !slices.ContainsFunc(sentences, func(s string) bool { return strings.Contains(s, w) }) {
			t.Errorf("nothing says %q in %q", w, sentences)
		}
	}
}

func (w *world) whyFleet(id string) *api.ExplainFleetOutput {
	w.t.Helper()
	return must(w.ExplainFleet(w.ctx, &api.ExplainFleetInput{FleetId: id}))(w.t)
}

func TestExplainFleet(t *testing.T) {
	w := newWorld(t)
	id := w.newFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(1) })
	says(t, w.whyFleet(id).Reasons, "no instance was requested yet", "within 10m0s the fleet fails", "0 of 1 desired instances")
	w.take()
	w.turn()
	w.pass(30 * time.Second)
	why := w.whyFleet(id)
	says(t, why.Reasons, "requested 30s ago and its agent has not reported")
	says(t, why.Next, "--host")
	inst := w.startInstance()
	why = w.whyFleet(id)
	says(t, why.Reasons, "ACTIVE: 1 instances, server processes: 1 idle")
	if len(why.Next) != 0 || *why.Processes != "1 idle" || *why.Instances[0].Processes != "1 idle" || *why.Instances[0].Stage != "ACTIVE" || *why.Instances[0].IpAddress != "10.0.0.7" || len(why.Events) != 7 {
		t.Errorf("got %+v", why)
	}
	must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &id, MaximumPlayerSessionCount: 1}))(t)
	why = w.whyFleet(id)
	says(t, why.Reasons, "1 hosting a game session", "cannot be created now")
	says(t, why.Next, "UpdateFleetCapacity")
	must(w.DeleteFleet(w.ctx, &api.DeleteFleetInput{FleetId: id}))(t)
	w.turn()
	says(t, w.whyFleet(id).Reasons, "1 of its instances are not gone")
	w.tell(inst, lift.Event{Stopped: &lift.Stopped{}})
	w.turn()
	says(t, w.whyFleet(id).Reasons, "is gone since")

	failed := w.newFleet()
	w.take()
	w.turn()
	var agent lift.InstanceID
	for _, e := range w.take() {
		if e.StartInstance != nil {
			agent = e.StartInstance.InstanceID
		}
	}
	w.tell(agent, lift.Event{Failed: &lift.InstanceFailed{Code: lift.FleetLaunchPathNotFound, Message: "/local/game/server is not there", Log: "VALIDATING_PATHS"}})
	why = w.whyFleet(failed)
	says(t, why.Reasons, "/local/game/server is not there")
	says(t, why.Next, "top of the archive", "chairlift logs "+failed, "DeleteFleet")
}

func TestExplainProcessAndSession(t *testing.T) {
	w := newWorld(t)
	logs := memLogs{}
	w.Service.o.Logs = logs
	id, inst := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(1) })
	p1 := "proc-" + lift.ProcessID(inst) + "-p1"
	why := func() *api.ExplainProcessOutput {
		return must(w.ExplainProcess(w.ctx, &api.ExplainProcessInput{ProcessId: string(p1)}))(t)
	}
	session := func(gs string) []string {
		return must(w.ExplainSession(w.ctx, &api.ExplainSessionInput{GameSessionId: gs}))(t).Reasons
	}
	if out := why(); *out.State != "IDLE" || *out.InstanceId != string(inst) || *out.FleetId != id || len(out.Lines) != 0 {
		t.Errorf("got %+v", out)
	}
	says(t, why().Reasons, "port 7001", "launchPath(/local/game/server)")
	w.tell(inst, lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: p1}})
	says(t, why().Reasons, "unhealthy")
	w.tell(inst, lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: p1, Healthy: true}}, lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: "young"}})
	says(t, must(w.ExplainProcess(w.ctx, &api.ExplainProcessInput{ProcessId: "young"}))(t).Reasons, "has not called InitSDK")
	w.tell(inst, lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: "young"}})
	says(t, must(w.ExplainProcess(w.ctx, &api.ExplainProcessInput{ProcessId: "young"}))(t).Reasons, "has not called ProcessReady")

	gs := *must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &id, MaximumPlayerSessionCount: 1}))(t).GameSession.GameSessionId
	says(t, why().Reasons, "hosts game session "+gs)
	says(t, session(gs), "has not called ActivateGameSession", "within 5m0s")
	w.activate(gs)
	must(w.UpdateGameSession(w.ctx, &api.UpdateGameSessionInput{GameSessionId: gs, PlayerSessionCreationPolicy: new("DENY_ALL")}))(t)
	says(t, session(gs), "ACTIVE with 0 of 1", "DENY_ALL")

	for n := range 3000 {
		logs[string(inst)+"/"+string(p1)] += fmt.Sprintf("line %d of the server\n", n)
	}
	w.tell(inst, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: p1, Code: lift.ProcessCrashed, Message: "exit code 3"}})
	out := why()
	says(t, out.Reasons, "exit code 3")
	if n := len(out.Lines); n != linesShown || *out.Lines[n-1].Text != "line 2999 of the server" || *out.Lines[0].Text != "line 2980 of the server" {
		t.Errorf("%d lines, the last %q", n, *out.Lines[n-1].Text)
	}
	says(t, session(gs), "its server process exited: exit code 3")
	w.pass(2 * time.Hour) // the process is forgotten
	says(t, session(gs), "exit code 3")

	// One that is not activated in time says so.
	w.startProcess(inst, "p2", 7002)
	gs = *must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &id, MaximumPlayerSessionCount: 1}))(t).GameSession.GameSessionId
	w.pass(300 * time.Second)
	says(t, session(gs), "did not call ActivateGameSession within 5m0s")
}

// memLogs are logs by name.
type memLogs map[string]string

func (m memLogs) List(_ context.Context, prefix string) ([]string, error) {
	var names []string
	for name := range m {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m memLogs) ReadAt(_ context.Context, name string, p []byte, off int64) (int, error) {
	text := m[name]
	if off >= int64(len(text)) {
		return 0, io.EOF
	}
	n := copy(p, text[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func TestReadLogs(t *testing.T) {
	w := newWorld(t)
	logs := memLogs{}
	w.Service.o.Logs = logs
	id, inst := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(2) })
	p1, p2 := string(inst)+"/proc-"+string(inst)+"-p1", string(inst)+"/proc-"+string(inst)+"-p2"
	var after *string
	next := func(id string, limit int) string {
		t.Helper()
		out := must(w.ReadLogs(w.ctx, &api.ReadLogsInput{ResourceId: id, After: after, Limit: positive(limit)}))(t)
		if after = out.Next; after == nil || len(*after) > 1024 {
			t.Fatalf("next %v", after)
		}
		var lines []string
		for _, l := range out.Lines {
			lines = append(lines, (*l.ProcessId)[max(0, len(*l.ProcessId)-2):]+":"+*l.Text)
		}
		return strings.Join(lines, "|")
	}
	if got := next(id, 0); got != "" {
		t.Errorf("got %q", got)
	}
	logs[p1], logs[p2], logs[string(inst)+"/EXTRACTING"] = "a\r\nb\npar", "x\n", "unpacked\n"
	if got := next(id, 0); got != "p1:a|p1:b|p2:x|NG:unpacked" && got != "NG:unpacked|p1:a|p1:b|p2:x" {
		t.Errorf("got %q", got)
	}
	if got := next(id, 0); got != "" {
		t.Errorf("half a line was told: %q", got)
	}
	logs[p1] += "tial\n"
	logs[p2] += "y\nz\n"
	if got := next(id, 2); got != "p1:partial|p2:y" {
		t.Errorf("got %q", got)
	}
	if got := next(id, 2); got != "p2:z" {
		t.Errorf("got %q", got)
	}
	// The last line of a process that is gone needs no end.
	logs[p1] += "panic"
	w.tell(inst, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: "proc-" + lift.ProcessID(inst) + "-p1"}})
	if got := next(id, 0); got != "p1:panic" {
		t.Errorf("got %q", got)
	}

	_, err := w.ReadLogs(w.ctx, &api.ReadLogsInput{ResourceId: string(inst), After: after})
	refused(t, err, lift.InvalidRequest, "After")
	after = nil
	if got := next("proc-"+string(inst)+"-p2", 0); got != "p2:x|p2:y|p2:z" {
		t.Errorf("one process: %q", got)
	}
	gs := *must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &id, MaximumPlayerSessionCount: 1}))(t).GameSession.GameSessionId
	after = nil
	if got := next(gs, 1); got != "p2:x" {
		t.Errorf("a game session: %q", got)
	}

	// A link to the log of a game session.
	_, err = w.GetGameSessionLogUrl(w.ctx, &api.GetGameSessionLogUrlInput{GameSessionId: gs})
	refused(t, err, lift.NotFound, "no logs")
	w.Service.o.LogURL = func(_ auth.Caller, log string) string { return "https://logs/" + log }
	if url := *must(w.GetGameSessionLogUrl(w.ctx, &api.GetGameSessionLogUrlInput{GameSessionId: gs}))(t).PreSignedUrl; url != "https://logs/"+p2 {
		t.Errorf("the log is at %s", url)
	}
	delete(logs, p2)
	_, err = w.GetGameSessionLogUrl(w.ctx, &api.GetGameSessionLogUrlInput{GameSessionId: gs})
	refused(t, err, lift.NotFound, "wrote nothing")

	// Long lines come in pieces, and nothing is lost or repeated.
	long := strings.Repeat("é", 100_000)
	logs[p2] = "first\n" + long + "\nlast\n"
	after = nil
	var all string
	for range 8 {
		for _, l := range strings.Split(next("proc-"+string(inst)+"-p2", 0), "|") {
			all += strings.TrimPrefix(l, "p2:")
		}
	}
	if want := "first" + long + "last"; all != want {
		t.Errorf("%d bytes, want %d", len(all), len(want))
	}

	// Of very many logs the newest are read, and the position still fits.
	for n := range 200 {
		logs[fmt.Sprintf("%s/z%03d", inst, n)] = strings.Repeat("l\n", 30_000)
	}
	after = nil
	out := must(w.ReadLogs(w.ctx, &api.ReadLogsInput{ResourceId: string(inst), Limit: new(10_000)}))(t)
	if len(out.Lines) != 10_000 || *out.Lines[0].ProcessId != "z140" || len(*out.Next) > 1024 {
		t.Errorf("%d lines from %s on, position of %d characters", len(out.Lines), *out.Lines[0].ProcessId, len(*out.Next))
	}
}
