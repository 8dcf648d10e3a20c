//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/gamelift/types"
)

// journals are what the game servers of each instance wrote down. They are held
// open: an instance that is lost takes its folder with it, but not them.
type journals struct {
	t       *testing.T
	pattern string
	files   map[string]*os.File
}

func newJournals(t *testing.T, pattern string) *journals {
	j := &journals{t: t, pattern: pattern, files: map[string]*os.File{}}
	t.Cleanup(func() {
		for _, f := range j.files {
			f.Close()
		}
	})
	return j
}

// find opens the journals that have come.
func (j *journals) find() {
	names, _ := filepath.Glob(j.pattern)
	for _, name := range names {
		if j.files[name] == nil {
			if f, err := os.Open(name); err == nil {
				j.files[name] = f
			}
		}
	}
}

// journalEntry is a line of arena's journal.
type journalEntry struct {
	Event, Name, Process, GameSessionID, PlayerSessionID, Error string
	Detail                                                      json.RawMessage
	TookMS                                                      float64
}

// gameProcess is a server process by its own account.
type gameProcess struct {
	sessions  []string // that it was told to start
	activated bool
	ended     bool // it said goodbye
}

// account is what all game servers wrote.
type account struct {
	processes map[string]*gameProcess
	hosts     map[string][]string // the processes that were told to start a session
	accepted  map[string]int      // player sessions let in, how often
	removed   map[string]int
	found     []string // what none of them should have met
	slowest   journalEntry
}

func (j *journals) read() account {
	j.find()
	a := account{processes: map[string]*gameProcess{}, hosts: map[string][]string{}, accepted: map[string]int{}, removed: map[string]int{}}
	for name, f := range j.files {
		b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
		if err != nil {
			j.t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var e journalEntry
			if err := json.Unmarshal(line, &e); err != nil {
				a.found = append(a.found, fmt.Sprintf("%s holds %q: %v", name, line, err))
				continue
			}
			a.add(e)
		}
	}
	return a
}

func (a *account) add(e journalEntry) {
	p := a.processes[e.Process]
	if p == nil {
		p = &gameProcess{}
		a.processes[e.Process] = p
	}
	if e.Name == "RemovePlayerSession" && e.Error == "context canceled" {
		return // arena waits a few seconds for it and then ends all the same
	}
	if e.Error != "" {
		a.found = append(a.found, fmt.Sprintf("process %s: %s %s failed: %s", e.Process, e.Name, e.PlayerSessionID, e.Error))
		return
	}
	if e.TookMS > a.slowest.TookMS {
		a.slowest = e
	}
	switch e.Name {
	case "OnStartGameSession":
		p.sessions = append(p.sessions, e.GameSessionID)
		a.hosts[e.GameSessionID] = append(a.hosts[e.GameSessionID], e.Process)
	case "ActivateGameSession":
		p.activated = true
	case "AcceptPlayerSession":
		a.accepted[e.PlayerSessionID]++
	case "RemovePlayerSession":
		a.removed[e.PlayerSessionID]++
	case "ProcessEnding":
		p.ended = true
	case "OnProcessTerminate", "OnUpdateGameSession":
		a.found = append(a.found, fmt.Sprintf("process %s met %s, which nobody asked for", e.Process, e.Name))
	case "OnHealthCheck":
		if string(e.Detail) != "true" {
			a.found = append(a.found, fmt.Sprintf("process %s was not well", e.Process))
		}
	}
}

// gamesOf are the server processes of a fleet that this machine runs, by the id
// in their environment, with their instances.
func gamesOf(fleet string) map[string]string {
	games := map[string]string{}
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(b, []byte("GAMELIFT_SDK_FLEET_ID="+fleet+"\x00")) {
			continue
		}
		id, instance := "", ""
		for v := range strings.SplitSeq(string(b), "\x00") {
			if s, ok := strings.CutPrefix(v, "GAMELIFT_SDK_PROCESS_ID="); ok {
				id = s
			}
			if s, ok := strings.CutPrefix(v, "GAMELIFT_SDK_HOST_ID="); ok {
				instance = s
			}
		}
		games[id] = instance
	}
	return games
}

// expectation is what the audit cannot know by itself.
type expectation struct {
	instances int
	over      bool // nobody plays any more
}

// auditor compares the accounts.
type auditor struct {
	want    expectation
	clients *ledger
	games   account
	alive   map[string]string // server processes, with their instances

	sessions   map[string]types.GameSession // by the API
	players    map[string]types.PlayerSession
	placements map[string]types.GameSessionPlacement
	instances  []types.Instance
	events     []types.Event

	found []string
}

const neverTold = "no game server was ever told of it"

func (a *auditor) finds(format string, args ...any) {
	a.found = append(a.found, fmt.Sprintf(format, args...))
}

// audit returns everything that is not as it should be.
func (c *crash) audit() []string {
	a := &auditor{
		want: c.want, clients: c.ledger, games: c.journals.read(), alive: gamesOf(c.fleet),
		sessions: map[string]types.GameSession{}, players: map[string]types.PlayerSession{}, placements: map[string]types.GameSessionPlacement{},
	}
	if err := a.ask(c); err != nil {
		a.finds("the API: %v", err)
		return a.found
	}
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	a.found = append(a.found, c.ledger.problems...)
	a.found = append(a.found, a.games.found...)
	a.auditSessions()
	a.auditPlayers()
	a.auditPlacements()
	a.auditProcesses()
	return a.found
}

// ask reads all that the API has to say.
func (a *auditor) ask(c *crash) error {
	pages := gamelift.NewDescribeGameSessionsPaginator(c.gl, &gamelift.DescribeGameSessionsInput{FleetId: &c.fleet, Limit: new(int32(25))})
	for pages.HasMorePages() {
		page, err := ask(c, "DescribeGameSessions", func(ctx context.Context) (*gamelift.DescribeGameSessionsOutput, error) { return pages.NextPage(ctx) })
		if err != nil {
			return err
		}
		for _, s := range page.GameSessions {
			if _, twice := a.sessions[*s.GameSessionId]; twice {
				a.finds("the API lists game session %s twice", *s.GameSessionId)
			}
			a.sessions[*s.GameSessionId] = s
		}
	}
	for id := range a.sessions {
		pages := gamelift.NewDescribePlayerSessionsPaginator(c.gl, &gamelift.DescribePlayerSessionsInput{GameSessionId: &id, Limit: new(int32(25))})
		for pages.HasMorePages() {
			page, err := ask(c, "DescribePlayerSessions", func(ctx context.Context) (*gamelift.DescribePlayerSessionsOutput, error) { return pages.NextPage(ctx) })
			if err != nil {
				return err
			}
			for _, p := range page.PlayerSessions {
				if _, twice := a.players[*p.PlayerSessionId]; twice {
					a.finds("the API lists player session %s twice", *p.PlayerSessionId)
				}
				a.players[*p.PlayerSessionId] = p
			}
		}
	}
	a.clients.mu.Lock()
	placements := slices.Collect(maps.Keys(a.clients.placements))
	a.clients.mu.Unlock()
	for _, id := range placements {
		out, err := ask(c, "DescribeGameSessionPlacement", func(ctx context.Context) (*gamelift.DescribeGameSessionPlacementOutput, error) {
			return c.gl.DescribeGameSessionPlacement(ctx, &gamelift.DescribeGameSessionPlacementInput{PlacementId: &id})
		})
		if err != nil {
			a.finds("placement %s: %v", id, err)
			continue
		}
		a.placements[id] = *out.GameSessionPlacement
	}
	described, err := ask(c, "DescribeInstances", func(ctx context.Context) (*gamelift.DescribeInstancesOutput, error) {
		return c.gl.DescribeInstances(ctx, &gamelift.DescribeInstancesInput{FleetId: &c.fleet})
	})
	if err != nil {
		return err
	}
	a.instances = described.Instances
	events := gamelift.NewDescribeFleetEventsPaginator(c.gl, &gamelift.DescribeFleetEventsInput{FleetId: &c.fleet})
	for events.HasMorePages() {
		page, err := ask(c, "DescribeFleetEvents", func(ctx context.Context) (*gamelift.DescribeFleetEventsOutput, error) { return events.NextPage(ctx) })
		if err != nil {
			return err
		}
		a.events = append(a.events, page.Events...)
	}
	return nil
}

func (a *auditor) auditSessions() {
	for id, told := range a.clients.sessions {
		s, ok := a.sessions[id]
		switch {
		case !ok:
			a.finds("game session %s is gone; clients were told that it is %s", id, told.Status)
		case sessionAge(s.Status) < sessionAge(told.Status):
			a.finds("game session %s is %s; clients were told that it is %s", id, s.Status, told.Status)
		case !s.CreationTime.Equal(*told.CreationTime) || *s.Name != *told.Name || *s.Port != *told.Port:
			a.finds("game session %s is not what clients were told", id)
		}
	}
	slots := map[string]int32{}
	for _, p := range a.players {
		if playerAge(p.Status) < 2 {
			slots[*p.GameSessionId]++
		}
	}
	named := map[string]string{}
	for id, s := range a.sessions {
		if other, twice := named[*s.Name]; twice {
			a.finds("%s was asked for once and is there twice: %s and %s", *s.Name, id, other)
		}
		named[*s.Name] = id
		if !a.clients.names[*s.Name] {
			a.finds("game session %s, %s, was never asked for", id, *s.Name)
		}
		if *s.CurrentPlayerSessionCount != slots[id] {
			a.finds("game session %s counts %d players and has %d", id, *s.CurrentPlayerSessionCount, slots[id])
		}
		a.auditHost(id, s)
	}
	for id := range a.games.hosts {
		if _, ok := a.sessions[id]; !ok {
			a.finds("a game server was told of game session %s, the API knows nothing of it", id)
		}
	}
}

// auditHost compares a game session with the process that hosts it.
func (a *auditor) auditHost(id string, s types.GameSession) {
	hosts := a.games.hosts[id]
	if len(hosts) == 0 {
		a.finds("game session %s is %s, %s", id, s.Status, neverTold)
		return
	}
	if len(hosts) > 1 {
		a.finds("game session %s was started on %v", id, hosts)
	}
	p := a.games.processes[hosts[0]]
	_, lives := a.alive[hosts[0]]
	switch {
	case s.Status == types.GameSessionStatusActivating:
		a.finds("game session %s is stuck in ACTIVATING; its server activated it: %t", id, p.activated)
	case !p.activated:
		a.finds("game session %s is %s, its server did not activate it", id, s.Status)
	case s.Status == types.GameSessionStatusActive && (p.ended || !lives):
		a.finds("game session %s is ACTIVE, its server process ended: %t, lives: %t", id, p.ended, lives)
	case s.Status == types.GameSessionStatusActive && a.want.over:
		a.finds("game session %s is ACTIVE although its players have left", id)
	case s.Status == types.GameSessionStatusTerminated && (!p.ended || s.TerminationTime == nil):
		a.finds("game session %s is TERMINATED since %v, its server did not end it", id, s.TerminationTime)
	case s.Status == types.GameSessionStatusTerminating:
		a.finds("game session %s is stuck in TERMINATING", id)
	}
}

func (a *auditor) auditPlayers() {
	for id, told := range a.clients.players {
		p, ok := a.players[id]
		switch {
		case !ok:
			a.finds("player session %s is gone; clients were told that it is %s", id, told.Status)
		case playerAge(p.Status) < playerAge(told.Status):
			a.finds("player session %s is %s; clients were told that it is %s", id, p.Status, told.Status)
		case *p.GameSessionId != *told.GameSessionId || *p.PlayerId != *told.PlayerId || *p.Port != *told.Port:
			a.finds("player session %s is not what clients were told", id)
		}
	}
	for id := range a.clients.inGame {
		if a.games.accepted[id] == 0 {
			a.finds("player session %s played, no game server wrote that it let it in", id)
		}
	}
	byPlayer := map[string]string{}
	for id, p := range a.players {
		if other, twice := byPlayer[*p.PlayerId]; twice {
			a.finds("%s asked for a place once and has two: %s and %s", *p.PlayerId, id, other)
		}
		byPlayer[*p.PlayerId] = id
		if !a.clients.playerIDs[*p.PlayerId] {
			a.finds("player session %s is for %s, who never asked", id, *p.PlayerId)
		}
		accepted, removed, session := a.games.accepted[id], a.games.removed[id], a.sessions[*p.GameSessionId]
		var wrong bool
		switch p.Status {
		case types.PlayerSessionStatusReserved: // its time may not be over yet
			wrong = accepted > 0 || session.Status != types.GameSessionStatusActive
		case types.PlayerSessionStatusActive:
			wrong = accepted != 1 || removed > 0 || session.Status != types.GameSessionStatusActive || a.want.over
		case types.PlayerSessionStatusCompleted:
			wrong = accepted != 1 || removed > 1 || removed == 0 && session.Status != types.GameSessionStatusTerminated
		case types.PlayerSessionStatusTimedout:
			wrong = accepted > 0 || removed > 0
		}
		if wrong {
			a.finds("player session %s is %s in a game session that is %s; its server let it in %d times and out %d times", id, p.Status, session.Status, accepted, removed)
		}
	}
	for id := range a.games.accepted {
		if _, ok := a.players[id]; !ok {
			a.finds("a game server let player session %s in, the API knows nothing of it", id)
		}
	}
}

func (a *auditor) auditPlacements() {
	for id, told := range a.clients.placements {
		p, ok := a.placements[id]
		switch {
		case !ok: // found already
		case p.Status != types.GameSessionPlacementStateFulfilled:
			a.finds("placement %s is %s; clients were told that it is %s", id, p.Status, told.Status)
		case told.Status == types.GameSessionPlacementStateFulfilled && *told.GameSessionArn != *p.GameSessionArn:
			a.finds("placement %s is for %s; clients were told %s", id, *p.GameSessionArn, *told.GameSessionArn)
		case !told.StartTime.Equal(*p.StartTime):
			a.finds("placement %s began at %s; clients were told %s", id, p.StartTime, told.StartTime)
		default:
			if s := a.sessions[*p.GameSessionArn]; s.Name == nil || *s.Name != id {
				a.finds("placement %s is FULFILLED by %s, which is another", id, *p.GameSessionArn)
			}
			for _, placed := range p.PlacedPlayerSessions {
				if s := a.players[*placed.PlayerSessionId]; s.PlayerId == nil || *s.PlayerId != *placed.PlayerId {
					a.finds("placement %s has placed %s, the player session %s is not his", id, *placed.PlayerId, *placed.PlayerSessionId)
				}
			}
		}
	}
}

func (a *auditor) auditProcesses() {
	for id, p := range a.games.processes {
		if len(p.sessions) > 1 {
			a.finds("process %s was told to start %v", id, p.sessions)
		}
		if _, lives := a.alive[id]; lives == p.ended {
			a.finds("process %s lives: %t, said that it ends: %t", id, lives, p.ended)
		}
	}
	var ids []string
	for _, i := range a.instances {
		ids = append(ids, *i.InstanceId)
		if i.Status != types.InstanceStatusActive {
			a.finds("instance %s is %s", *i.InstanceId, i.Status)
		}
	}
	if len(ids) != a.want.instances {
		a.finds("there are %d instances instead of %d: %v", len(ids), a.want.instances, ids)
	}
	on := map[string]int{}
	for id, instance := range a.alive {
		on[instance]++
		if !slices.Contains(ids, instance) {
			a.finds("process %s runs on %s, which is no instance", id, instance)
		}
	}
	for _, id := range ids {
		if on[id] != processes {
			a.finds("instance %s runs %d processes instead of %d", id, on[id], processes)
		}
	}
	for _, e := range a.events {
		code := string(e.EventCode)
		for _, bad := range []string{"SERVER_PROCESS_", "INSTANCE_", "GAME_SESSION_", "FLEET_STATE_ERROR"} {
			if strings.HasPrefix(code, bad) {
				a.finds("fleet event %s: %s", code, *e.Message)
			}
		}
	}
}

// tell sums up what went well.
func (c *crash) tell() {
	if len(c.ready) == 0 {
		return
	}
	a := c.journals.read()
	slices.Sort(c.ready)
	c.t.Logf("clients know %d game sessions (%d promised while no agent could hear), %d placements and %d player sessions, of whom %d played; %d processes kept journals",
		len(c.sessions), c.unheard, len(c.placements), len(c.players), len(c.inGame), len(a.processes))
	c.t.Logf("a game server waited at most %s for an answer (%s); the service was ready again after %s, at most %s", time.Duration(a.slowest.TookMS*1e6).Round(time.Millisecond),
		a.slowest.Name, c.ready[len(c.ready)/2].Round(time.Millisecond), c.ready[len(c.ready)-1].Round(time.Millisecond))
}
