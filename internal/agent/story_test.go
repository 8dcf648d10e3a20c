package agent_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/agent"
	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/golden"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// TestStories plays testdata/*.txt. A story is a list of commands, each on a
// line of its own that begins with "> " ("-" is an empty word), and below each what the core did about
// it. Everything indented is the core's; `go test ./internal/agent -rewrite`
// accepts it anew. The commands stand in (*story).command.
func TestStories(t *testing.T) {
	golden.Stories(t, "testdata/*.txt", func(t *testing.T, text string) string {
		return string(newStory(t).play([]byte(text)))
	})
}

// story drives one core.
type story struct {
	t       *testing.T
	core    *agent.Core
	now     time.Time
	out     bytes.Buffer
	names   map[lift.ProcessID]string // p1, p2, … in the order of their launch
	ids     map[string]lift.ProcessID
	options agent.Options
	calls   agent.Call
	asked   agent.Call // the last call passed to the service
	fleet   lift.Fleet
	opened  bool // launches tell their ports
}

var storyBegin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newStory(t *testing.T) *story {
	return &story{
		t: t, now: storyBegin, names: make(map[lift.ProcessID]string), ids: make(map[string]lift.ProcessID),
		options: agent.Options{Instance: "i-1", Address: "10.0.0.5", IDs: rand.NewChaCha8([32]byte{1}), Pace: fleet.LocalPace},
		fleet:   lift.Fleet{ID: "fleet-1", InboundPorts: []lift.PortPermission{{FromPort: 7000, ToPort: 7999, Protocol: "UDP"}}},
	}
}

// play returns the story as it goes now.
func (s *story) play(text []byte) []byte {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "  ") {
			continue // what the core did last time
		}
		fmt.Fprintln(&s.out, line)
		if command, ok := strings.CutPrefix(line, "> "); ok {
			s.command(strings.Fields(command))
		}
	}
	return s.out.Bytes()
}

// command carries out one line.
//
//	shared                      the instance shares the machine's ports
//	ports FROM-TO | none        the fleet's inbound permissions
//	new                         an agent that hears nothing yet
//	configure PATH*COUNT …      the first command of the service; reconfigure changes it
//	prepared STAGE [err WORDS | installer | path=missing|unfit|ok …]
//	active PATH*COUNT …         all of the preparation, without a trace
//	launched P · launchfailed P WORDS · exited P CODE [WORDS of output]
//	up P PORT                   launched, InitSDK, ProcessReady, a healthy word
//	knock P · ready P PORT · health P yes|no · end P · play P S · accept P S PLAYER · leave P S PLAYER · policy P S POLICY · backfill P S TICKET · nobackfill P S TICKET · players P KEY=VALUE …
//	reply STATUS [WORDS]        the service's answer to the last question
//	session S P · over S P · update S P · terminate P [force] · drain DURATION
//	wait DURATION               with every tick the core asks for; beats=P[,P] keeps these healthy
//	sleep DURATION              nobody steps the core
//	interrupt · congested yes|no
func (s *story) command(w []string) {
	arg := func(i int) string {
		if i < len(w) {
			return strings.TrimPrefix(w[i], "-")
		}
		s.t.Fatalf("command %q lacks a word", w)
		return ""
	}
	rest := func(i int) string { return strings.Join(w[min(i, len(w)):], " ") }
	switch w[0] {
	case "shared":
		s.options.Shared = true
	case "ports":
		s.fleet.InboundPorts = nil
		if from, to, ok := strings.Cut(arg(1), "-"); ok {
			s.fleet.InboundPorts = []lift.PortPermission{{FromPort: s.number(from), ToPort: s.number(to)}}
		}
	case "new":
		s.core = agent.NewCore(s.options)
	case "configure":
		s.configure(w[1:])
	case "reconfigure":
		s.fleet.Runtime = s.runtime(w[1:])
		s.reconfigure()
	case "overtaken": // by the last change, which another server told
		before := s.fleet
		before.Revision--
		before.Runtime = s.runtime(w[1:])
		s.step(agent.Commanded{Effect: lift.Effect{Reconfigure: new(before.Reconfigure())}})
	case "openports":
		s.fleet.InboundPorts = nil
		for _, r := range w[1:] {
			from, to, _ := strings.Cut(r, "-")
			s.fleet.InboundPorts = append(s.fleet.InboundPorts, lift.PortPermission{FromPort: s.number(from), ToPort: s.number(to)})
		}
		s.opened = true
		s.reconfigure()
	case "prepared":
		s.step(s.prepared(w[1:]))
	case "active":
		s.active(w[1:])
	case "launched":
		s.step(agent.Launched{ProcessID: s.id(arg(1)), OSPID: 100, Log: arg(1)})
	case "launchfailed":
		s.step(agent.LaunchFailed{ProcessID: s.id(arg(1)), Code: lift.ProcessInvalidPath, Message: rest(2)})
	case "exited":
		code := s.number(arg(2))
		s.step(agent.Exited{ProcessID: s.id(arg(1)), ExitCode: code, Status: fmt.Sprintf("exit code %d", code), Output: rest(3)})
	case "up":
		s.command([]string{"launched", arg(1)})
		s.command([]string{"knock", arg(1)})
		s.command([]string{"ready", arg(1), arg(2)})
		s.command([]string{"health", arg(1), "yes"})
	case "knock":
		s.calls++
		s.step(agent.Knocked{Call: s.calls, ProcessID: s.id(arg(1)), SDKVersion: "5.6.0", SDKLanguage: "Go"})
	case "ready":
		s.ask(arg(1), sdk.ActivateServerProcess{Port: s.number(arg(2))})
	case "health":
		s.ask(arg(1), sdk.HeartbeatServerProcess{Healthy: arg(2) == "yes"})
	case "end":
		s.ask(arg(1), sdk.TerminateServerProcess{})
	case "play":
		s.ask(arg(1), sdk.ActivateGameSession{GameSessionID: arg(2)})
	case "accept":
		s.ask(arg(1), sdk.AcceptPlayerSession{GameSessionID: arg(2), PlayerSessionID: arg(3)})
	case "leave":
		s.ask(arg(1), sdk.RemovePlayerSession{GameSessionID: arg(2), PlayerSessionID: arg(3)})
	case "backfill":
		s.ask(arg(1), sdk.StartMatchBackfill{GameSessionARN: arg(2), ConfigurationARN: "arn", TicketID: arg(3), Players: []sdk.Player{{PlayerID: "ann", Team: "red"}}})
	case "nobackfill":
		s.ask(arg(1), sdk.StopMatchBackfill{GameSessionARN: arg(2), ConfigurationARN: "arn", TicketID: arg(3)})
	case "policy":
		s.ask(arg(1), sdk.UpdatePlayerSessionCreationPolicy{GameSessionID: arg(2), Policy: arg(3)})
	case "players":
		r := sdk.DescribePlayerSessions{}
		for _, pair := range w[2:] {
			switch key, value, _ := strings.Cut(pair, "="); key {
			case "session":
				r.GameSessionID = value
			case "player":
				r.PlayerID = value
			}
		}
		s.ask(arg(1), r)
	case "reply":
		s.step(agent.Replied{Call: s.asked, Reply: lift.Reply{Status: s.number(arg(1)), Message: rest(2), Players: []lift.PlayerSession{{ID: "psess-1"}}, TicketID: "t1"}})
	case "session":
		s.step(agent.Commanded{Effect: lift.Effect{StartSession: &lift.StartSession{Session: s.session(arg(1), arg(2), lift.SessionActivating)}}})
	case "over":
		s.step(agent.Commanded{Effect: lift.Effect{UpdateSession: &lift.UpdateSession{Session: s.session(arg(1), arg(2), lift.SessionTerminated)}}})
	case "update":
		s.step(agent.Commanded{Effect: lift.Effect{UpdateSession: &lift.UpdateSession{Session: s.session(arg(1), arg(2), lift.SessionActive), Reason: "MATCHMAKING_DATA_UPDATED"}}})
	case "terminate":
		s.step(agent.Commanded{Effect: lift.Effect{TerminateProcess: &lift.TerminateProcess{ProcessID: s.id(arg(1)), Reason: "somebody wanted it", Force: rest(2) == "force"}}})
	case "drain":
		s.step(agent.Commanded{Effect: lift.Effect{Drain: &lift.Drain{By: s.now.Add(s.duration(arg(1))), Reason: "the fleet shrinks"}}})
	case "wait":
		s.wait(s.duration(arg(1)), rest(2))
	case "sleep":
		s.now = s.now.Add(s.duration(arg(1)))
		s.step(agent.Tick{})
	case "interrupt":
		s.step(agent.Interrupted{Reason: "the machine shuts down"})
	case "congested":
		s.step(agent.Congested{Is: arg(1) == "yes"})
	default:
		s.t.Fatalf("unknown command %q", w)
	}
}

func (s *story) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *story) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// id is the process of that name; one that was never launched has its name as id.
func (s *story) id(name string) lift.ProcessID {
	if id, ok := s.ids[name]; ok {
		return id
	}
	return lift.ProcessID(name)
}

func (s *story) runtime(entries []string) lift.RuntimeConfiguration {
	var r lift.RuntimeConfiguration
	for _, e := range entries {
		path, count, _ := strings.Cut(e, "*")
		r.ServerProcesses = append(r.ServerProcesses, lift.ServerProcess{LaunchPath: "/local/game/" + path, Parameters: "-x", Count: s.number(count)})
	}
	return r
}

func (s *story) session(id, process string, status lift.GameSessionStatus) lift.GameSession {
	return lift.GameSession{ID: lift.GameSessionID(id), ProcessID: s.id(process), Status: status, MaxPlayers: 8, Properties: []lift.Property{{Key: "map", Value: "attic"}}}
}

func (s *story) configure(entries []string) {
	s.core = agent.NewCore(s.options)
	s.fleet.Runtime = s.runtime(entries)
	s.step(agent.Commanded{Effect: lift.Effect{Configure: &lift.Configure{Fleet: s.fleet, InstanceID: "i-1"}}})
}

// reconfigure tells the agent of a change of the fleet.
func (s *story) reconfigure() {
	s.fleet.Revision++
	s.step(agent.Commanded{Effect: lift.Effect{Reconfigure: new(s.fleet.Reconfigure())}})
}

func (s *story) prepared(w []string) agent.Prepared {
	ev := agent.Prepared{Stage: lift.Stage(w[0]), Message: "done", Log: w[0]}
	for i, word := range w[1:] {
		path, found, isPath := strings.Cut(word, "=")
		switch {
		case word == "err":
			ev.Err = strings.Join(w[i+2:], " ")
			return ev
		case word == "installer":
			ev.Installer = "install.sh"
		case isPath:
			c := agent.PathCheck{LaunchPath: "/local/game/" + path, Missing: found == "missing", Unfit: found == "unfit"}
			if found != "ok" {
				c.Finding = c.LaunchPath + " is " + found
			}
			ev.Paths = append(ev.Paths, c)
		}
	}
	return ev
}

func (s *story) active(entries []string) {
	before := s.out.Len()
	s.configure(entries)
	for _, stage := range []string{"DOWNLOADING", "EXTRACTING", "VALIDATING_PATHS p=ok"} {
		s.step(s.prepared(strings.Fields(stage)))
	}
	s.out.Truncate(before)
	s.step(agent.Prepared{Stage: lift.StageBuilding})
}

// wait steps the core whenever it wants to be. Processes named in beats report
// good health every minute.
func (s *story) wait(d time.Duration, beats string) {
	end, beat := s.now.Add(d), s.now.Add(time.Minute)
	for steps := 0; ; steps++ {
		if steps > 10_000 {
			s.t.Fatal("the core wants to be stepped without end")
		}
		next := end
		if due := s.core.Due(); !due.IsZero() && due.Before(next) {
			next = due
		}
		if beats != "" && !beat.After(next) {
			s.now = beat
			for name := range strings.SplitSeq(strings.TrimPrefix(beats, "beats="), ",") {
				s.ask(name, sdk.HeartbeatServerProcess{Healthy: true})
			}
			beat = beat.Add(time.Minute)
			continue
		}
		if next.After(s.now) {
			s.now = next
		} else if next.Before(s.now) {
			s.t.Fatalf("the core wants to be stepped in the past, at %s", next)
		}
		if s.now.Equal(end) {
			s.step(agent.Tick{})
			return
		}
		s.step(agent.Tick{})
	}
}

func (s *story) ask(process string, r sdk.Request) {
	s.calls++
	s.step(agent.Asked{Call: s.calls, ProcessID: s.id(process), Request: r})
}

func (s *story) step(ev agent.Event) {
	for _, a := range s.core.Step(s.now, ev) {
		if text := s.tell(a); text != "" {
			fmt.Fprintf(&s.out, "  %s  %s\n", s.now.Sub(storyBegin), strings.ReplaceAll(text, "\n", `\n`))
		}
	}
}

// tell spells an action; the yes to a heartbeat is not worth a line.
func (s *story) tell(a agent.Action) string {
	switch a := a.(type) {
	case agent.Launch:
		s.names[a.ProcessID] = fmt.Sprintf("p%d", len(s.names)+1)
		s.ids[s.names[a.ProcessID]] = a.ProcessID
		line := fmt.Sprintf("launch %s of %s", s.names[a.ProcessID], a.Entry.LaunchPath)
		if s.opened {
			for _, p := range a.Ports {
				line += fmt.Sprintf(" on %d to %d", p.FromPort, p.ToPort)
			}
		}
		return line
	case agent.Kill:
		return "kill " + s.names[a.ProcessID]
	case agent.Forget:
		return "" // goes with every exit
	case agent.Prepare:
		return "prepare " + string(a.Stage)
	case agent.Abort:
		return "abort the stage"
	case agent.Leave:
		return "leave"
	case agent.Admit:
		if a.Refusal != nil {
			return "refuse: " + a.Refusal.Reason
		}
		return "admit"
	case agent.Answer:
		switch {
		case a.Err != nil:
			return "answer " + a.Err.Error()
		case a.Reply != nil:
			if ticket, ok := a.Reply.(sdk.BackfillTicket); ok {
				return "answer with ticket " + ticket.TicketID
			}
			return fmt.Sprintf("answer with %d player sessions", len(a.Reply.(sdk.PlayerSessions).Sessions))
		}
		return ""
	case agent.Push:
		switch push := a.Push.(type) {
		case sdk.TerminateProcess:
			return fmt.Sprintf("push %s: terminate by %s", s.names[a.ProcessID], push.TerminationTime.Sub(storyBegin))
		case sdk.CreateGameSession:
			return fmt.Sprintf("push %s: session %s, port %d, %d players, %v", s.names[a.ProcessID], push.GameSessionID, push.Port, push.MaximumPlayerSessionCount, push.GameProperties)
		case sdk.UpdateGameSession:
			return fmt.Sprintf("push %s: update of %s, %s", s.names[a.ProcessID], push.GameSession.GameSessionID, push.UpdateReason)
		}
	case agent.Ask:
		s.asked = a.Call
		return "ask " + s.tellEvent(a.Event)
	case agent.Report:
		return "report " + s.tellEvent(a.Event)
	}
	s.t.Fatalf("no words for %#v", a)
	return ""
}

func (s *story) tellEvent(ev lift.Event) string {
	if !ev.At.Equal(s.now) {
		s.t.Errorf("event %+v happened at %s, and it is %s", ev, ev.At, s.now)
	}
	name := func(id lift.ProcessID) string {
		if n, ok := s.names[id]; ok {
			return n
		}
		return string(id)
	}
	switch {
	case ev.Stage != nil:
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", ev.Stage.Stage, ev.Stage.Address, ev.Stage.Log))
	case ev.Failed != nil:
		return fmt.Sprintf("FAILED %s: %s", ev.Failed.Code, ev.Failed.Message)
	case ev.Notice != nil:
		return fmt.Sprintf("notice %s: %s", ev.Notice.Code, ev.Notice.Message)
	case ev.ProcessStarted != nil:
		return "started " + name(ev.ProcessStarted.ProcessID)
	case ev.ProcessConnected != nil:
		return fmt.Sprintf("connected %s, %s %s", name(ev.ProcessConnected.ProcessID), ev.ProcessConnected.SDKLanguage, ev.ProcessConnected.SDKVersion)
	case ev.ProcessReady != nil:
		return fmt.Sprintf("ready %s on port %d", name(ev.ProcessReady.ProcessID), ev.ProcessReady.Port)
	case ev.ProcessHealth != nil:
		return fmt.Sprintf("healthy %s: %t", name(ev.ProcessHealth.ProcessID), ev.ProcessHealth.Healthy)
	case ev.ProcessEnding != nil:
		return "ending " + name(ev.ProcessEnding.ProcessID)
	case ev.ProcessExited != nil:
		x := ev.ProcessExited
		return fmt.Sprintf("exited %s, code %d, event %q: %s", name(x.ProcessID), x.ExitCode, x.Code, x.Message)
	case ev.Stopped != nil:
		return "STOPPED: " + ev.Stopped.Reason
	case ev.ActivateSession != nil:
		return fmt.Sprintf("activate %s on %s", ev.ActivateSession.SessionID, name(ev.ActivateSession.ProcessID))
	case ev.AcceptPlayer != nil:
		return fmt.Sprintf("accept %s in %s", ev.AcceptPlayer.PlayerID, ev.AcceptPlayer.SessionID)
	case ev.RemovePlayer != nil:
		return fmt.Sprintf("remove %s from %s", ev.RemovePlayer.PlayerID, ev.RemovePlayer.SessionID)
	case ev.PlayerPolicy != nil:
		return fmt.Sprintf("policy of %s: %s", ev.PlayerPolicy.SessionID, ev.PlayerPolicy.Policy)
	case ev.StartBackfill != nil:
		b := ev.StartBackfill
		return fmt.Sprintf("backfill %q of %s beside %d players by %s", b.TicketID, b.SessionID, len(b.Players), b.Configuration)
	case ev.StopBackfill != nil:
		return fmt.Sprintf("no backfill %q of %s", ev.StopBackfill.TicketID, ev.StopBackfill.SessionID)
	case ev.DescribePlayers != nil:
		return fmt.Sprintf("players of session %q, player %q", ev.DescribePlayers.GameSessionID, ev.DescribePlayers.PlayerID)
	}
	s.t.Fatalf("no words for %+v", ev)
	return ""
}
