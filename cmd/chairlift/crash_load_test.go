//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/gamelift/types"
	"github.com/aws/smithy-go"

	"github.com/chairlift-games/chairlift/examples/arena/player"
)

const (
	callPatience = 15 * time.Second // for one answer of a service that lives
	gamePatience = 40 * time.Second // to be let in; a game may wait for the service
	pauseLimit   = 5 * time.Second  // games go on meanwhile
	partyPlays   = 600 * time.Millisecond
	partySize    = 2
	seatsEnough  = 50 // reservations whose answer was lost take some
	visitPlays   = 200 * time.Millisecond
	askAgain     = 20 * time.Millisecond
	lookAgain    = 100 * time.Millisecond
)

func fleetDestination(fleet string) []types.GameSessionQueueDestination {
	arn := "arn:aws:gamelift:us-west-2:000000000000:fleet/" + fleet
	return []types.GameSessionQueueDestination{{DestinationArn: &arn}}
}

// ask repeats a call until the service answers it, whatever becomes of the
// service meanwhile. The error is the service's own, or that of c.ctx.
func ask[Out any](c *crash, what string, call func(context.Context) (*Out, error)) (*Out, error) {
	for {
		ctx, cancel := context.WithTimeout(c.ctx, callPatience)
		out, err := call(ctx)
		late := ctx.Err() != nil && c.ctx.Err() == nil
		cancel()
		switch _, answered := errors.AsType[smithy.APIError](err); {
		case err == nil || answered || c.ctx.Err() != nil:
			return out, err
		case late:
			c.problem("%s was not answered within %s", what, callPatience)
		}
		if !c.pause(askAgain) {
			return nil, c.ctx.Err()
		}
	}
}

// pause waits, and says whether there is time left.
func (c *crash) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-c.ctx.Done():
		return false
	}
}

// load begins what goes on while the service is killed: residents who stay for
// the whole time, visitors to them, and parties that come, play and go.
func (c *crash) load() {
	c.t.Helper()
	eventually(c.t, time.Minute, "all processes are ready", func() bool {
		u, err := c.gl.DescribeFleetUtilization(c.ctx, &gamelift.DescribeFleetUtilizationInput{FleetIds: []string{c.fleet}})
		return err == nil && len(u.FleetUtilization) == 1 && *u.FleetUtilization[0].ActiveServerProcessCount == processes
	})
	var homes []string
	for n := range residents {
		home := c.create(fmt.Sprintf("home-%d", n))
		if home == "" || !c.becomesActive(home) {
			c.t.Fatalf("no home for residents\n%s", report(c.problems))
		}
		homes = append(homes, home)
		for range partySize {
			seat := c.seat(home)
			if seat == nil {
				c.t.Fatalf("no seats for residents\n%s", report(c.problems))
			}
			c.stayers.Go(func() { c.reside(*seat) })
			eventually(c.t, time.Minute, "a resident is in", func() bool {
				out, err := c.gl.DescribePlayerSessions(c.ctx, &gamelift.DescribePlayerSessionsInput{PlayerSessionId: seat.PlayerSessionId})
				return err == nil && len(out.PlayerSessions) == 1 && c.sawPlayer(out.PlayerSessions[0]) == types.PlayerSessionStatusActive
			})
		}
	}
	for n := range parties {
		c.parties.Go(func() { c.repeat(func(round int) { c.party(fmt.Sprintf("party-%d-%d", n, round), (n+round)%2 == 0) }) })
	}
	for _, home := range homes {
		c.parties.Go(func() {
			c.repeat(func(int) {
				if seat := c.seat(home); seat != nil {
					c.plays(*seat, visitPlays)
				}
			})
		})
	}
}

func (c *crash) repeat(f func(round int)) {
	for round := 0; ; round++ {
		select {
		case <-c.enough:
			return
		case <-c.ctx.Done():
			return
		default:
			f(round)
		}
	}
}

// unload lets what has begun come to its end. What has not after the patience
// is left to the audit.
func (c *crash) unload(patience time.Duration) {
	close(c.enough)
	done := make(chan struct{})
	go func() { c.parties.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		c.problem("some parties are not over %s after the last kill", patience)
	}
}

// grow asks for the second instance.
func (c *crash) grow() {
	_, err := ask(c, "UpdateFleetCapacity", func(ctx context.Context) (*gamelift.UpdateFleetCapacityOutput, error) {
		return c.gl.UpdateFleetCapacity(ctx, &gamelift.UpdateFleetCapacityInput{
			FleetId: &c.fleet, DesiredInstances: new(int32(instances)), MaxSize: new(int32(instances)),
		})
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.want.instances = instances
}

// canary waits until a new game session is ACTIVE: agents and games are well.
func (c *crash) canary() {
	c.t.Helper()
	if id := c.create("canary"); id == "" || !c.becomesActive(id) {
		c.t.Fatalf("no new game session became ACTIVE:\n%s", report(c.problems))
	}
}

// party makes a game session, plays in it, and leaves.
func (c *crash) party(name string, queued bool) {
	if queued {
		c.playTogether(c.place(name))
	} else if id := c.create(name); id != "" {
		c.playIn(id)
	}
}

// playIn takes places in a game session once it is ACTIVE.
func (c *crash) playIn(id string) {
	if !c.becomesActive(id) {
		return
	}
	var seats []types.PlayerSession
	for range partySize {
		if seat := c.seat(id); seat != nil {
			seats = append(seats, *seat)
		}
	}
	c.playTogether(seats)
}

func (c *crash) playTogether(seats []types.PlayerSession) {
	var players sync.WaitGroup
	for _, s := range seats {
		players.Go(func() { c.plays(s, partyPlays) })
	}
	players.Wait()
	if len(seats) > 0 {
		c.look(*seats[0].GameSessionId)
	}
}

// create makes a game session and returns its id, empty if that was refused.
// Having been answered it asks again, for the same answer.
func (c *crash) create(name string) string {
	for {
		made := c.tryCreate(name)
		if made == nil {
			if !c.pause(lookAgain) {
				return ""
			}
			continue // until a process is idle
		}
		id, again := *made.GameSessionId, c.tryCreate(name)
		switch {
		case c.ctx.Err() != nil:
		case again == nil:
			c.problem("CreateGameSession with the token %s made %s, and repeated it was refused", name, id)
		case *again.GameSessionId != id || !again.CreationTime.Equal(*made.CreationTime):
			c.problem("CreateGameSession with the token %s made %s, and repeated %s", name, id, *again.GameSessionId)
		}
		return id
	}
}

// tryCreate makes a game session, or the one that has this name already; nil
// if no process is idle.
func (c *crash) tryCreate(name string) *types.GameSession {
	c.asking(name)
	made, err := ask(c, "CreateGameSession", func(ctx context.Context) (*gamelift.CreateGameSessionOutput, error) {
		return c.gl.CreateGameSession(ctx, &gamelift.CreateGameSessionInput{
			FleetId: &c.fleet, Name: &name, IdempotencyToken: &name, MaximumPlayerSessionCount: new(int32(seatsEnough)),
		})
	})
	if full := (*types.FleetCapacityExceededException)(nil); errors.As(err, &full) {
		return nil
	}
	if err != nil {
		c.refused("CreateGameSession", err)
		return nil
	}
	c.sawSession(*made.GameSession)
	return made.GameSession
}

// becomesActive waits for that. Once it is over it is too late.
func (c *crash) becomesActive(id string) bool {
	for {
		switch c.look(id) {
		case types.GameSessionStatusActive:
			return true
		case types.GameSessionStatusActivating:
		default:
			if c.ctx.Err() == nil {
				c.problem("game session %s ended without its players", id)
			}
			return false
		}
		if !c.pause(lookAgain) {
			return false
		}
	}
}

// look reads a game session; the status is empty if it cannot.
func (c *crash) look(id string) types.GameSessionStatus {
	out, err := ask(c, "DescribeGameSessions", func(ctx context.Context) (*gamelift.DescribeGameSessionsOutput, error) {
		return c.gl.DescribeGameSessions(ctx, &gamelift.DescribeGameSessionsInput{GameSessionId: &id})
	})
	if err != nil || len(out.GameSessions) != 1 {
		c.refused("DescribeGameSessions", errors.Join(err, fmt.Errorf("game session %s was not described", id)))
		return ""
	}
	return c.sawSession(out.GameSessions[0])
}

// seat makes a player session; nil if that is refused. Each attempt is for a
// player of its own, since the answer may be lost of one that counted.
func (c *crash) seat(session string) *types.PlayerSession {
	made, err := ask(c, "CreatePlayerSession", func(ctx context.Context) (*gamelift.CreatePlayerSessionOutput, error) {
		id := c.newPlayer()
		return c.gl.CreatePlayerSession(ctx, &gamelift.CreatePlayerSessionInput{GameSessionId: &session, PlayerId: &id})
	})
	if err != nil {
		c.refused("CreatePlayerSession in "+session, err)
		return nil
	}
	c.sawPlayer(*made.PlayerSession)
	return made.PlayerSession
}

// place has a game session placed for a party and returns its seats.
func (c *crash) place(name string) []types.PlayerSession {
	c.asking(name)
	in := &gamelift.StartGameSessionPlacementInput{
		PlacementId: &name, GameSessionQueueName: &c.queue, GameSessionName: &name, MaximumPlayerSessionCount: new(int32(partySize)),
	}
	for range partySize {
		in.DesiredPlayerSessions = append(in.DesiredPlayerSessions, types.DesiredPlayerSession{PlayerId: new(c.newPlayer())})
	}
	started, err := ask(c, "StartGameSessionPlacement", func(ctx context.Context) (*gamelift.StartGameSessionPlacementOutput, error) {
		return c.gl.StartGameSessionPlacement(ctx, in)
	})
	if err != nil {
		c.refused("StartGameSessionPlacement", err)
		return nil
	}
	p := started.GameSessionPlacement
	for c.sawPlacement(*p); p.Status == types.GameSessionPlacementStatePending; c.sawPlacement(*p) {
		if !c.pause(lookAgain) {
			return nil
		}
		out, err := ask(c, "DescribeGameSessionPlacement", func(ctx context.Context) (*gamelift.DescribeGameSessionPlacementOutput, error) {
			return c.gl.DescribeGameSessionPlacement(ctx, &gamelift.DescribeGameSessionPlacementInput{PlacementId: &name})
		})
		if err != nil {
			c.refused("DescribeGameSessionPlacement", err)
			return nil
		}
		p = out.GameSessionPlacement
	}
	var seats []types.PlayerSession
	for _, s := range p.PlacedPlayerSessions {
		seats = append(seats, types.PlayerSession{
			PlayerSessionId: s.PlayerSessionId, PlayerId: s.PlayerId, GameSessionId: p.GameSessionArn,
			IpAddress: p.IpAddress, Port: p.Port, Status: types.PlayerSessionStatusReserved,
		})
		c.sawPlayer(seats[len(seats)-1])
	}
	if len(seats) != partySize {
		c.problem("placement %s is %s with %d of %d players", name, p.Status, len(seats), partySize)
	}
	return seats
}

// plays plays one player, who must get in and play to the end.
func (c *crash) plays(seat types.PlayerSession, d time.Duration) {
	r, err := player.Play(c.ctx, player.Options{Address: address(seat), PlayerSessionID: *seat.PlayerSessionId, Play: d, Patience: gamePatience})
	if c.ctx.Err() != nil {
		return
	}
	if !r.In || err != nil || r.Ended != "" {
		c.problem("player %s of %s: in %t, ended %q, %v", *seat.PlayerSessionId, *seat.GameSessionId, r.In, r.Ended, err)
		return
	}
	c.played(*seat.PlayerSessionId)
}

// reside plays one player until the residents leave. The game must go on all
// the time.
func (c *crash) reside(seat types.PlayerSession) {
	r, err := player.Play(c.stay, player.Options{Address: address(seat), PlayerSessionID: *seat.PlayerSessionId, Play: time.Hour, Patience: pauseLimit})
	if !errors.Is(err, context.Canceled) || !r.In || r.Ended != "" || r.Snapshots == 0 {
		c.problem("resident %s of %s: in %t, ended %q, %v", *seat.PlayerSessionId, *seat.GameSessionId, r.In, r.Ended, err)
		return
	}
	c.played(*seat.PlayerSessionId)
}

// dismiss lets the residents leave.
func (c *crash) dismiss() {
	c.leave()
	c.stayers.Wait()
	c.want.over = true
}

func address(p types.PlayerSession) string {
	return net.JoinHostPort(*p.IpAddress, strconv.Itoa(int(*p.Port)))
}

// refused notes that the service refused what it had no reason to.
func (c *crash) refused(what string, err error) {
	if c.ctx.Err() == nil {
		c.problem("%s: %v", what, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

// ledger is what clients asked for, and what they were told.
type ledger struct {
	acked chan struct{} // cap 1: the service has just promised something

	mu         sync.Mutex
	names      map[string]bool // of game sessions asked for
	playerIDs  map[string]bool // of players seats were asked for
	sessions   map[string]types.GameSession
	players    map[string]types.PlayerSession
	inGame     map[string]bool // player sessions that a game let in
	placements map[string]types.GameSessionPlacement
	problems   []string
}

func newLedger() *ledger {
	return &ledger{
		acked: make(chan struct{}, 1), names: map[string]bool{}, playerIDs: map[string]bool{}, inGame: map[string]bool{},
		sessions: map[string]types.GameSession{}, players: map[string]types.PlayerSession{}, placements: map[string]types.GameSessionPlacement{},
	}
}

func (l *ledger) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

func (l *ledger) asking(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names[name] = true
}

func (l *ledger) newPlayer() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := fmt.Sprintf("player-%d", len(l.playerIDs))
	l.playerIDs[id] = true
	return id
}

func (l *ledger) promised() {
	select {
	case l.acked <- struct{}{}:
	default:
	}
}

// sawSession notes what the service said of a game session. Answers may
// overtake one another, so only what is further on replaces what is known.
func (l *ledger) sawSession(s types.GameSession) types.GameSessionStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.sessions[*s.GameSessionId]
	if !ok {
		l.promised()
	}
	if !ok || sessionAge(s.Status) >= sessionAge(known.Status) {
		l.sessions[*s.GameSessionId] = s
	}
	return s.Status
}

func (l *ledger) sawPlayer(p types.PlayerSession) types.PlayerSessionStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.players[*p.PlayerSessionId]
	if !ok {
		l.promised()
	}
	if !ok || playerAge(p.Status) >= playerAge(known.Status) {
		l.players[*p.PlayerSessionId] = p
	}
	return p.Status
}

func (l *ledger) sawPlacement(p types.GameSessionPlacement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.placements[*p.PlacementId]; !ok {
		l.promised()
	}
	l.placements[*p.PlacementId] = p
}

func (l *ledger) played(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inGame[id] = true
}

// sessionAge and playerAge order the states of a life: none may come back.
func sessionAge(s types.GameSessionStatus) int {
	switch s {
	case types.GameSessionStatusActivating:
		return 0
	case types.GameSessionStatusActive:
		return 1
	case types.GameSessionStatusTerminating:
		return 2
	}
	return 3
}

func playerAge(s types.PlayerSessionStatus) int {
	switch s {
	case types.PlayerSessionStatusReserved:
		return 0
	case types.PlayerSessionStatusActive:
		return 1
	}
	return 2
}
