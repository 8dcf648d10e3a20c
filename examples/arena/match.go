package main

import (
	"context"
	"errors"
	"log"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/examples/arena/arenaproto"
	"github.com/chairlift-games/chairlift/serversdk"
)

// settings of a game server, from the command line.
type settings struct {
	tickHz  int
	silence time.Duration // a player who says nothing for so long has left
	wait    time.Duration // for the first player
	linger  time.Duration // an empty arena stays open for others so long
}

const (
	// maxSeats bounds the addresses a match remembers, players or not.
	maxSeats = 1000

	// callLimit is how long a call waits for the service: longer than the SDK
	// would, so that a service that restarts turns nobody away.
	callLimit = time.Minute

	// endLimit is how long the end of the game waits for calls in progress.
	endLimit = 5 * time.Second
)

// match is one game session: a loop that owns the world, and what it hears of.
// Nothing in the loop waits for the service; calls run beside it and report.
type match struct {
	settings
	service service
	conn    *net.UDPConn
	log     *log.Logger
	journal *journal

	packets  chan packet
	admitted chan admission
	stop     chan string // why the game has to end
	calls    sync.WaitGroup
	ctx      context.Context // of the calls
	cancel   context.CancelFunc

	world *world
	seats map[netip.AddrPort]*seat
	empty time.Time // since when nobody is here; zero while somebody is
	came  bool      // somebody was here
	beat  heartbeat // of the loop, for the health check
	buf   []byte
}

// service is what a match asks of the hosting service.
type service interface {
	AcceptPlayerSession(ctx context.Context, playerSessionID string) error
	RemovePlayerSession(ctx context.Context, playerSessionID string) error
}

// seat is a player, or somebody who wants to be one.
type seat struct {
	session string
	avatar  *avatar // nil until admitted
	denied  string  // why not, once that is known
	heard   time.Time
}

type packet struct {
	from netip.AddrPort
	msg  arenaproto.Message
}

type admission struct {
	from    netip.AddrPort
	session string
	err     error
}

func newMatch(s settings, svc service, conn *net.UDPConn, l *log.Logger, j *journal) *match {
	m := &match{
		settings: s, service: svc, conn: conn, log: l, journal: j,
		packets: make(chan packet, 1024), admitted: make(chan admission, maxSeats), stop: make(chan string, 1),
		world: newWorld(rand.Uint64()), seats: make(map[netip.AddrPort]*seat),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// end asks the game to end.
func (m *match) end(why string) {
	select {
	case m.stop <- why:
	default: // it ends already
	}
}

// run plays until everybody has left or somebody ends it, and returns why.
func (m *match) run() string {
	go m.receive()
	tick := time.NewTicker(time.Second / time.Duration(m.tickHz))
	defer tick.Stop()
	m.empty = time.Now()
	for {
		select {
		case p := <-m.packets:
			m.handle(p)
		case a := <-m.admitted:
			m.seated(a)
		case now := <-tick.C:
			if why := m.tick(now); why != "" {
				m.over(why)
				return why
			}
		case why := <-m.stop:
			m.over(why)
			return why
		}
	}
}

// receive reads the socket until it is closed. What the loop has no time for is
// lost, as on any network.
func (m *match) receive() {
	b := make([]byte, 2048)
	for {
		n, from, err := m.conn.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an earlier datagram bounced; says nothing about the next
		}
		msg, err := arenaproto.Parse(b[:n])
		if err != nil {
			continue
		}
		select {
		case m.packets <- packet{from, msg}:
		default:
		}
	}
}

func (m *match) handle(p packet) {
	s := m.seats[p.from]
	if s != nil {
		s.heard = time.Now()
	}
	switch msg := p.msg.(type) {
	case arenaproto.Hello:
		switch {
		case s == nil || s.denied != "" && s.session != msg.PlayerSessionID:
			m.knock(p.from, msg.PlayerSessionID)
		case s.denied != "":
			m.send(p.from, arenaproto.Denied{Reason: s.denied})
		case s.avatar != nil: // our welcome was lost
			m.welcome(p.from, s)
		}
	case arenaproto.Input:
		if s != nil && s.avatar != nil {
			s.avatar.steer(msg)
		}
	case arenaproto.Bye:
		if s != nil && s.avatar != nil {
			m.leave(p.from, s, "said bye")
		}
	}
}

// knock has the service decide about a player session. The loop goes on.
func (m *match) knock(from netip.AddrPort, session string) {
	if len(m.seats) >= maxSeats {
		m.send(from, arenaproto.Denied{Reason: "too many players at the door"})
		return
	}
	m.seats[from] = &seat{session: session, heard: time.Now()}
	m.call("AcceptPlayerSession", session, m.service.AcceptPlayerSession, func(err error) {
		m.admitted <- admission{from, session, err}
	})
}

// call asks the service beside the loop and passes on the answer.
func (m *match) call(name, session string, ask func(context.Context, string) error, then func(error)) {
	m.calls.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, callLimit)
		defer cancel()
		start := time.Now()
		err := ask(ctx, session)
		m.journal.answer(name, start, session, err)
		then(err)
	})
}

func (m *match) seated(a admission) {
	s := m.seats[a.from]
	if s == nil || s.session != a.session {
		if a.err == nil {
			m.remove(a.session) // gone before the answer came
		}
		return
	}
	if a.err == nil {
		if s.avatar = m.world.join(); s.avatar != nil {
			m.came = true
			m.log.Printf("player %d is in: %s from %s, %d playing", s.avatar.number, s.session, a.from, len(m.world.players))
			m.welcome(a.from, s)
			return
		}
		a.err = errors.New("the arena is full")
		m.remove(s.session)
	}
	s.denied = a.err.Error()
	m.log.Printf("turned away %s from %s: %v", s.session, a.from, a.err)
	m.send(a.from, arenaproto.Denied{Reason: s.denied})
}

func (m *match) welcome(to netip.AddrPort, s *seat) {
	m.send(to, arenaproto.Welcome{Number: s.avatar.number, TickHz: uint8(m.tickHz)})
}

func (m *match) leave(from netip.AddrPort, s *seat, why string) {
	delete(m.seats, from)
	if s.avatar == nil {
		return
	}
	m.world.leave(s.avatar)
	m.log.Printf("player %d has left, %s, with %d points; %d playing", s.avatar.number, why, s.avatar.score, len(m.world.players))
	m.remove(s.session)
}

func (m *match) remove(session string) {
	m.call("RemovePlayerSession", session, m.service.RemovePlayerSession, func(err error) {
		if err != nil {
			m.log.Printf("cannot remove %s: %v", session, err)
		}
	})
}

// tick plays one step and says why the game is over, if it is.
func (m *match) tick(now time.Time) string {
	m.beat.at(now)
	busy := false
	for from, s := range m.seats {
		waiting := s.avatar == nil && s.denied == ""
		if !waiting && now.Sub(s.heard) > m.silence {
			m.leave(from, s, "fell silent")
			continue
		}
		busy = busy || s.denied == ""
	}
	m.world.step()
	snapshot := m.world.snapshot()
	for from, s := range m.seats {
		if s.avatar != nil {
			m.send(from, snapshot)
		}
	}
	switch {
	case busy:
		m.empty = time.Time{}
	case m.empty.IsZero():
		m.empty = now
	case m.came && now.Sub(m.empty) >= m.linger:
		return "everybody has left"
	case !m.came && now.Sub(m.empty) >= m.wait:
		return "nobody came"
	}
	return ""
}

// over tells the players and lets the calls in progress finish.
func (m *match) over(why string) {
	for from, s := range m.seats {
		m.send(from, arenaproto.Over{Reason: why})
		m.leave(from, s, "game over")
	}
	defer time.AfterFunc(endLimit, m.cancel).Stop()
	done := make(chan struct{})
	go func() { m.calls.Wait(); close(done) }()
	for {
		select {
		case <-m.admitted: // too late; the end of the session frees the place
		case <-done:
			m.cancel()
			return
		}
	}
}

func (m *match) send(to netip.AddrPort, msg arenaproto.Message) {
	m.buf = arenaproto.Append(m.buf[:0], msg)
	m.conn.WriteToUDPAddrPort(m.buf, to) // lost datagrams are part of the game
}

// heartbeat is when something was last alive.
type heartbeat struct {
	mu   sync.Mutex
	last time.Time
}

func (h *heartbeat) at(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = now
}

func (h *heartbeat) within(d time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.last) < d
}

var _ service = (*serversdk.Server)(nil)
