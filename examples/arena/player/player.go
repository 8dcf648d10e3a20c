// Package player plays arena: it asks to be let in, chases the spark, leaves.
// It counts as in only when the game server has said so.
package player

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/chairlift-games/chairlift/examples/arena/arenaproto"
)

// Options of one player.
type Options struct {
	Address         string // of the game server, host:port
	PlayerSessionID string
	Play            time.Duration // how long to play once in
	Patience        time.Duration // how long to wait to be let in, and for a server that fell silent
}

// Result is what became of a player.
type Result struct {
	In            bool      // the game server said welcome
	WelcomeAt     time.Time // when
	FirstPacketAt time.Time // when the server was heard first, whatever it said
	Snapshots     int       // received while playing
	Score         int
	Ended         string // why the game ended before Play was over; empty if it did not
}

// ErrDenied says that the game server turned the player away.
var ErrDenied = errors.New("denied by the game server")

const (
	helloEvery = 100 * time.Millisecond
	inputEvery = 50 * time.Millisecond
)

// Play plays one player until its time is over, the game is, or ctx ends.
func Play(ctx context.Context, o Options) (Result, error) {
	conn, err := net.Dial("udp", o.Address)
	if err != nil {
		return Result{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })() // there is a bye to write

	s := session{Options: o, conn: conn, in: make([]byte, 2048)}
	if err := s.enter(ctx); err != nil {
		return s.result, err
	}
	err = s.play(ctx)
	for range 3 { // any of them may be lost
		s.send(arenaproto.Bye{})
	}
	return s.result, err
}

type session struct {
	Options
	conn   net.Conn
	in     []byte
	out    []byte
	number uint8
	seq    uint32
	result Result
}

// enter says hello until it is answered.
func (s *session) enter(ctx context.Context) error {
	deadline := time.Now().Add(s.Patience)
	for time.Now().Before(deadline) {
		s.send(arenaproto.Hello{PlayerSessionID: s.PlayerSessionID})
		for again := time.Now().Add(helloEvery); ; {
			msg, err := s.receive(ctx, again)
			if err != nil {
				return err
			}
			if msg == nil {
				break
			}
			switch msg := msg.(type) {
			case arenaproto.Welcome:
				s.number = msg.Number
				s.result.In, s.result.WelcomeAt = true, time.Now()
				return nil
			case arenaproto.Denied:
				return fmt.Errorf("%w: %s", ErrDenied, msg.Reason)
			case arenaproto.Over:
				return fmt.Errorf("the game is over: %s", msg.Reason)
			}
		}
	}
	return fmt.Errorf("no answer from %s within %v", s.Address, s.Patience)
}

// play runs after the spark.
func (s *session) play(ctx context.Context) error {
	end := time.Now().Add(s.Play)
	heard := time.Now()
	next := heard // input
	for now := time.Now(); now.Before(end); now = time.Now() {
		if now.Sub(heard) > s.Patience {
			return fmt.Errorf("the game server has been silent for %v", s.Patience)
		}
		until := next
		if until.After(end) {
			until = end
		}
		msg, err := s.receive(ctx, until)
		if err != nil {
			return err
		}
		if msg == nil {
			next = now.Add(inputEvery)
			s.steer(0, 0)
			continue
		}
		heard = now
		switch msg := msg.(type) {
		case arenaproto.Snapshot:
			s.result.Snapshots++
			for _, p := range msg.Players {
				if p.Number == s.number {
					s.result.Score = int(p.Score)
					s.steer(towards(p.X, msg.SparkX), towards(p.Y, msg.SparkY))
					next = now.Add(inputEvery)
				}
			}
		case arenaproto.Over:
			s.result.Ended = msg.Reason
			return nil
		}
	}
	return nil
}

// towards is full speed, less when the goal is near.
func towards(from, to uint16) int8 {
	return int8(min(max((int(to)-int(from))/4, -127), 127))
}

func (s *session) steer(dx, dy int8) {
	s.seq++
	s.send(arenaproto.Input{Seq: s.seq, DX: dx, DY: dy})
}

func (s *session) send(m arenaproto.Message) {
	s.out = arenaproto.Append(s.out[:0], m)
	s.conn.Write(s.out) // what is lost is said again
}

// receive returns the next message, or nil at the deadline. A port that is not
// open yet is a reason to try again.
func (s *session) receive(ctx context.Context, deadline time.Time) (arenaproto.Message, error) {
	for {
		s.conn.SetReadDeadline(deadline)
		n, err := s.conn.Read(s.in)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, nil
		}
		if err != nil {
			time.Sleep(time.Until(deadline))
			return nil, nil
		}
		if msg, err := arenaproto.Parse(s.in[:n]); err == nil {
			if s.result.FirstPacketAt.IsZero() {
				s.result.FirstPacketAt = time.Now()
			}
			return msg, nil
		}
	}
}
