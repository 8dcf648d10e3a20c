package ops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/placement"
	"github.com/chairlift-games/chairlift/internal/store"
)

const (
	eventsShown = 20
	linesShown  = 20
)

// account collects sentences: why, and what to do next.
type account struct{ reasons, next []string }

func (a *account) because(format string, args ...any) {
	a.reasons = append(a.reasons, fmt.Sprintf(format, args...))
}
func (a *account) advise(format string, args ...any) {
	a.next = append(a.next, fmt.Sprintf(format, args...))
}

// ExplainFleet says why a fleet is in its status, also one that is gone but
// remembered.
func (s *Service) ExplainFleet(ctx context.Context, in *api.ExplainFleetInput) (*api.ExplainFleetOutput, error) {
	c := s.caller(ctx)
	now := s.engine.Now()
	return read(ctx, s, func(tx store.Tx) (*api.ExplainFleetOutput, error) {
		f, err := c.lateFleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		is, err := store.Instances.All(tx, "fleet", string(f.ID)+"/")
		if err != nil {
			return nil, err
		}
		ps, err := store.Processes.All(tx, "fleet", string(f.ID)+"/")
		if err != nil {
			return nil, err
		}
		evs, err := store.Events.All(tx, "fleet", string(f.ID)+"/")
		if err != nil {
			return nil, err
		}
		plan, err := engine.PlanFleet(tx, now, f)
		if err != nil {
			return nil, err
		}
		a := explainFleet(now, f, is, ps, evs, plan)
		if err := explainScaling(tx, &a, now, f); err != nil {
			return nil, err
		}
		out := &api.ExplainFleetOutput{
			FleetId: opt(f.ID), Status: opt(f.Status), Reasons: a.reasons, Next: a.next, Processes: opt(doing(ps)),
			Instances: make([]api.InstanceReport, len(is)),
			Events:    shapes(evs[max(0, len(evs)-eventsShown):], func(ev *lift.FleetEvent) *api.Event { return s.eventShape(c, ev) }),
		}
		for n, i := range is {
			out.Instances[n] = api.InstanceReport{
				InstanceId: opt(i.ID), Status: opt(i.Status), Stage: opt(i.Stage), IpAddress: opt(i.Address), CreationTime: i.CreatedAt,
				Processes: opt(doing(slices.DeleteFunc(slices.Clone(ps), func(p *lift.Process) bool { return p.InstanceID != i.ID }))),
			}
		}
		return out, nil
	})
}

func explainFleet(now time.Time, f *lift.Fleet, is []*lift.Instance, ps []*lift.Process, evs []*lift.FleetEvent, plan fleet.Decision) account {
	var a account
	switch {
	case f.Status == lift.FleetError:
		a.because("the fleet failed: %s", f.Reason)
		a.next = append(a.next, failureAdvice(f, evs)...)
		a.advise("a fleet in ERROR stays as it is: put the cause right, then DeleteFleet and CreateFleet again")
	case f.Status == lift.FleetDeleting:
		a.because("the fleet is being deleted and %d of its instances are not gone yet", len(is))
	case f.Status == lift.FleetTerminated:
		a.because("the fleet was deleted and is gone since %s", f.TerminatedAt.Format(time.RFC3339))
	case f.Status.Preparing():
		explainPreparing(&a, now, f, is)
	case len(is) == 0 && f.Capacity.Desired == 0:
		a.because("the fleet is ACTIVE and wants no instances: its desired capacity is 0")
		a.advise("UpdateFleetCapacity with DesiredInstances starts some")
	default:
		a.because("the fleet is ACTIVE: %d instances, server processes: %s", len(is), doing(ps))
		if !slices.ContainsFunc(ps, idle) {
			a.because("no server process is free, so a game session cannot be created now")
			a.advise("raise DesiredInstances (now %d, at most %d) with UpdateFleetCapacity, or ConcurrentExecutions with UpdateRuntimeConfiguration", f.Capacity.Desired, f.Capacity.Max)
		}
	}
	for _, why := range plan.Why {
		a.because("next: %s", why)
	}
	return a
}

// explainScaling says what the scaling policies of an ACTIVE fleet wait for.
func explainScaling(tx store.Tx, a *account, now time.Time, f *lift.Fleet) error {
	sc, ok, err := store.Scalings.Get(tx, string(f.ID))
	if err != nil || !ok || len(sc.Policies) == 0 || f.Status != lift.FleetActive {
		return err
	}
	if f.ScalingStopped {
		a.because("its %d scaling policies do not act: StopFleetActions stopped them", len(sc.Policies))
		a.advise("StartFleetActions lets the scaling policies act again")
		return nil
	}
	for _, p := range sc.Policies {
		a.because("%s", fleet.Outlook(now, p))
	}
	return nil
}

func explainPreparing(a *account, now time.Time, f *lift.Fleet, is []*lift.Instance) {
	if len(is) == 0 {
		a.because("no instance was requested yet")
	}
	for _, i := range is {
		if i.Stage == "" {
			a.because("instance %s was requested %s ago and its agent has not reported yet", i.ID, ago(now, i.CreatedAt))
			a.advise("see that this service has a host that can start instances (chairlift serve --host)")
			continue
		}
		a.because("instance %s is at %s; it was requested %s ago", i.ID, i.Stage, ago(now, i.CreatedAt))
		if i.Stage == lift.StageActivating {
			a.advise("the server must call InitSDK and ProcessReady; chairlift logs %s shows what it writes", i.ID)
		}
	}
	if f.EarlyExits > 0 {
		a.because("%d server processes have ended before any was ready; after %d the fleet fails", f.EarlyExits, fleet.EarlyExits)
	}
	if now.Before(f.ActivateBy) {
		a.because("if no server process is ready within %s the fleet fails", f.ActivateBy.Sub(now).Round(time.Second))
	}
}

// failureAdvice says what usually puts a failure right, by the event before
// FLEET_STATE_ERROR.
func failureAdvice(f *lift.Fleet, evs []*lift.FleetEvent) []string {
	advice := map[lift.EventCode]string{
		lift.FleetLaunchPathNotFound:   "compare the launch paths with the files of the build: /local/game (or C:\\game) is the top of the archive, so its root folder must not be packed",
		lift.FleetExecutableFailure:    "build the server for the system and processor of the host, and pack the libraries it needs",
		lift.FleetFailedInstaller:      "run install.sh of the build by hand in an empty folder; it must end with exit code 0",
		lift.FleetDownloadFailed:       "see that the agent reaches the service and that its disk has room",
		lift.FleetNoInstances:          "see that this service has a host that can start instances (chairlift serve --host)",
		lift.FleetActivationFailed:     "run the server by hand; it must call InitSDK and ProcessReady and stay",
		lift.FleetInitializationFailed: "look at the log of the instance",
	}
	for _, ev := range slices.Backward(evs) {
		if words, ok := advice[ev.Code]; ok {
			if ev.Log != "" {
				return []string{words, "chairlift logs " + string(f.ID) + " shows what was written"}
			}
			return []string{words}
		}
	}
	return nil
}

// doing counts processes by what they do: "2 idle, 1 hosting a game session".
func doing(ps []*lift.Process) string {
	counts := map[string]int{}
	for _, p := range ps {
		what := "ending"
		switch {
		case p.State == lift.ProcessHosting:
			what = "hosting a game session"
		case p.State == lift.ProcessUsed:
			what = "done with a game session"
		case p.State == lift.ProcessInitializing || p.State == lift.ProcessActivating:
			what = "starting"
		case idle(p):
			what = "idle"
		case p.State == lift.ProcessIdle:
			what = "unhealthy"
		}
		counts[what]++
	}
	var words []string
	for what, n := range counts {
		words = append(words, fmt.Sprintf("%d %s", n, what))
	}
	if words == nil {
		return "none"
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func idle(p *lift.Process) bool { return p.State == lift.ProcessIdle && !p.Unhealthy }

func ago(now, then time.Time) time.Duration { return now.Sub(then).Round(time.Second) }

func (c caller) process(tx store.Tx, id string) (*lift.Process, error) {
	return find(c, tx, store.Processes, id, id, func(p *lift.Process) bool { return p.Region == c.Region })
}

// ExplainProcess says what a server process is at, or how it ended.
func (s *Service) ExplainProcess(ctx context.Context, in *api.ExplainProcessInput) (*api.ExplainProcessOutput, error) {
	c := s.caller(ctx)
	now := s.engine.Now()
	p, err := read(ctx, s, func(tx store.Tx) (*lift.Process, error) { return c.process(tx, in.ProcessId) })
	if err != nil {
		return nil, err
	}
	a := explainProcess(now, p)
	lines, err := s.lastLines(ctx, string(p.InstanceID)+"/"+string(p.ID))
	if err != nil {
		return nil, err
	}
	return &api.ExplainProcessOutput{
		ProcessId: opt(p.ID), FleetId: opt(p.FleetID), InstanceId: opt(p.InstanceID), State: opt(p.State),
		Reasons: a.reasons, Next: a.next, GameSessionId: opt(p.SessionID), Lines: lines,
	}, nil
}

func explainProcess(now time.Time, p *lift.Process) account {
	var a account
	switch p.State {
	case lift.ProcessInitializing:
		a.because("it was launched %s ago and has not called InitSDK; after 5 minutes it is ended", ago(now, p.StartedAt))
		a.advise("call InitSDK early in the server, before it loads what takes long")
	case lift.ProcessActivating:
		a.because("it called InitSDK and has not called ProcessReady; after 5 minutes it is ended")
		a.advise("call ProcessReady with the port that players connect to, when the server can take a game session")
	case lift.ProcessIdle:
		a.because("it is ready on port %d and waits for a game session", p.Port)
	case lift.ProcessHosting:
		a.because("it hosts game session %s", p.SessionID)
	case lift.ProcessUsed:
		a.because("its game session %s ended; it is offered again when it calls ProcessReady", p.SessionID)
	case lift.ProcessTerminating:
		a.because("it was told to end, or said that it ends, and has not exited yet")
	case lift.ProcessGone:
		a.because("it ended at %s: %s", p.EndedAt.Format(time.RFC3339), orElse(p.Exit, "an orderly exit"))
	}
	if p.Unhealthy && p.State != lift.ProcessGone {
		a.because("it is unhealthy: its health callback said no, or did not answer within 60 s")
		a.advise("answer the health callback within 60 s; three misses end the process")
	}
	a.because("launchPath(%s), arguments(%s), instanceId(%s)", p.LaunchPath, p.Parameters, p.InstanceID)
	return a
}

func orElse(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// lastLines returns the end of a log. How long the log is has to be found by
// asking: a log that is written has no length to rely on.
func (s *Service) lastLines(ctx context.Context, name string) ([]api.LogLine, error) {
	if s.o.Logs == nil {
		return nil, nil
	}
	var failed error
	has := func(off int64) bool {
		var b [1]byte
		n, err := s.o.Logs.ReadAt(ctx, name, b[:], off)
		if err != nil && !errors.Is(err, io.EOF) {
			failed = err
		}
		return n == 1
	}
	low, high := int64(0), int64(1)
	for ; has(high - 1); high *= 2 {
		low = high
	}
	for low < high-1 {
		if mid := (low + high) / 2; has(mid - 1) {
			low = mid
		} else {
			high = mid
		}
	}
	const window = 4 << 10
	from := max(0, low-window)
	buf := make([]byte, low-from)
	n, err := s.o.Logs.ReadAt(ctx, name, buf, from)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	text := bytes.TrimRight(buf[:n], "\r\n")
	if len(text) == 0 || failed != nil || err != nil {
		return nil, errors.Join(failed, err)
	}
	parts := strings.Split(strings.ToValidUTF8(string(text), "\uFFFD"), "\n")
	if from > 0 && len(parts) > 1 {
		parts = parts[1:] // it lacks its beginning
	}
	_, process, _ := strings.Cut(name, "/")
	var lines []api.LogLine
	for _, l := range parts[max(0, len(parts)-linesShown):] {
		lines = append(lines, api.LogLine{ProcessId: opt(process), Text: new(strings.TrimSuffix(l, "\r"))})
	}
	return lines, nil
}

// ExplainPlacement says why a placement waits, or how it ended.
func (s *Service) ExplainPlacement(ctx context.Context, in *api.ExplainPlacementInput) (*api.ExplainPlacementOutput, error) {
	c := s.caller(ctx)
	now := s.engine.Now()
	p, err := read(ctx, s, func(tx store.Tx) (*lift.Placement, error) { return c.placement(tx, in.PlacementId) })
	if err != nil {
		return nil, err
	}
	a := explainPlacement(now, p)
	out := &api.ExplainPlacementOutput{
		PlacementId: opt(p.ID), GameSessionQueueName: opt(p.Queue), Status: opt(p.Status), Attempts: new(p.Attempts),
		Reasons: a.reasons, Next: a.next, GameSessionId: opt(p.SessionID), Skipped: make([]api.SkippedPlace, len(p.Skips)),
	}
	for i, k := range p.Skips {
		out.Skipped[i] = api.SkippedPlace{Place: opt(k.Place), Reason: opt(k.Reason), Detail: opt(k.Detail)}
	}
	return out, nil
}

func explainPlacement(now time.Time, p *lift.Placement) account {
	var a account
	switch {
	case p.Status == lift.PlacementFulfilled:
		a.because("game session %s was ready after %s and %d attempts", p.SessionID, p.EndedAt.Sub(p.StartedAt).Round(time.Millisecond), p.Attempts)
		return a
	case p.Status != lift.PlacementPending:
		a.because("the placement ended as %s: %s", p.Status, p.Reason)
	case p.SessionID != "":
		a.because("game session %s was reserved and waits for its server to call ActivateGameSession", p.SessionID)
		a.advise("chairlift why session %s", p.SessionID)
	case p.Attempts == 0:
		a.because("the first attempt comes in a moment")
	default:
		a.because("attempt %d found no place; the next comes when a server process becomes free", p.Attempts)
	}
	if p.Status == lift.PlacementPending {
		a.because("it times out in %s", p.Deadline.Sub(now).Round(time.Second))
	}
	if len(p.Avoid) > 0 {
		a.because("%d server processes were given the game session and did not activate it; they are avoided", len(p.Avoid))
	}
	for _, why := range countSkips(p.Skips) {
		a.because("passed over: %s", why)
	}
	if len(p.Skips) == 0 && p.SessionID == "" && p.Attempts > 0 {
		a.because("queue %s has no destinations", p.Queue)
		a.advise("give queue %s destinations with UpdateGameSessionQueue", p.Queue)
	}
	advised := map[string]bool{}
	for _, k := range p.Skips {
		if words := skipAdvice(k); words != "" && !advised[words] {
			advised[words] = true
			a.advise("%s", words)
		}
	}
	return a
}

func skipAdvice(k lift.Skip) string {
	switch k.Reason {
	case placement.NoFleet:
		return fmt.Sprintf("correct destination %s with UpdateGameSessionQueue: %s", k.Place, k.Detail)
	case placement.FleetNotActive:
		return "chairlift why fleet " + lift.Resource(k.Place, "fleet")
	case placement.NoIdleProcess:
		return fmt.Sprintf("raise the capacity of %s with UpdateFleetCapacity, or let game sessions end", lift.Resource(k.Place, "fleet"))
	case placement.ActivationLimit:
		return "raise MaxConcurrentGameSessionActivations with UpdateRuntimeConfiguration, or make servers activate faster"
	case placement.NotAllowed:
		return "widen FilterConfiguration with UpdateGameSessionQueue, or leave " + k.Place + " out of the queue"
	case placement.NotListed:
		return "list " + k.Detail + " in PriorityConfigurationOverride, or fall back to the queue's order"
	case placement.TooFar:
		return "give every player's latency to every location, or add a latency policy with a higher limit"
	case placement.FailedBefore:
		return "chairlift why process " + k.Place
	}
	return ""
}

// ExplainSession says what a game session waits for, or why it ended.
func (s *Service) ExplainSession(ctx context.Context, in *api.ExplainSessionInput) (*api.ExplainSessionOutput, error) {
	c := s.caller(ctx)
	now := s.engine.Now()
	return read(ctx, s, func(tx store.Tx) (*api.ExplainSessionOutput, error) {
		gs, err := c.session(tx, in.GameSessionId)
		if err != nil {
			return nil, err
		}
		p, known, err := store.Processes.Get(tx, string(gs.ProcessID))
		if err != nil {
			return nil, err
		}
		if !known {
			p = nil
		}
		a := explainSession(now, gs, p)
		return &api.ExplainSessionOutput{
			GameSessionId: opt(gs.ID), Status: opt(gs.Status), Reasons: a.reasons, Next: a.next,
			FleetId: opt(gs.FleetID), InstanceId: opt(gs.InstanceID), ProcessId: opt(gs.ProcessID),
		}, nil
	})
}

// explainSession is told the session's process, if it is remembered.
func explainSession(now time.Time, gs *lift.GameSession, p *lift.Process) account {
	var a account
	switch gs.Status {
	case lift.SessionActivating:
		a.because("its server was told %s ago and has not called ActivateGameSession; if it does not within %s the session ends", ago(now, gs.CreatedAt), gs.ActivateBy.Sub(now).Round(time.Second))
		a.advise("the server's OnStartGameSession must call ActivateGameSession; chairlift logs %s shows what it writes", gs.ID)
	case lift.SessionActive:
		a.because("it is ACTIVE with %d of %d player slots taken", gs.PlayerCount, gs.MaxPlayers)
		if gs.Policy == lift.DenyAll {
			a.because("it takes no new players: its policy is DENY_ALL")
			a.advise("UpdateGameSession with PlayerSessionCreationPolicy ACCEPT_ALL lets players in again")
		} else if gs.PlayerCount >= gs.MaxPlayers {
			a.because("it is full")
		}
	case lift.SessionTerminating:
		a.because("it was told to end (%s) and its server has not ended yet", gs.StatusReason)
	default:
		explainEnd(&a, gs, p)
	}
	if _, ticket, ok := strings.Cut(gs.BackfillTicket, "/"); ok {
		a.because("it looks for more players with backfill ticket %s", ticket)
		a.advise("chairlift why ticket %s", ticket)
	}
	if gs.PlacementID != "" {
		a.because("it was made for placement %s of queue %s", gs.PlacementID, gs.Queue)
	}
	return a
}

func explainEnd(a *account, gs *lift.GameSession, p *lift.Process) {
	a.because("it ended %s after its creation: %s", gs.EndedAt.Sub(gs.CreatedAt).Round(time.Millisecond), gs.Ended)
	if gs.StatusReason != "" {
		a.because("the reason is %s", gs.StatusReason)
	}
	if p != nil && p.State == lift.ProcessGone && p.Exit != "" && !strings.Contains(gs.Ended, p.Exit) {
		a.because("its server process ended afterwards: %s", p.Exit)
	}
	a.advise("chairlift logs %s shows what its server wrote", gs.ID)
}
