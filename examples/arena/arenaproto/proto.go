// Package arenaproto is what arena's players and its server say to each other
// over UDP: one small message in a datagram, any of which may be lost.
//
//	player                     server
//	Hello{player session} ->
//	                        <- Welcome{your number} or Denied{why}
//	Input{where to}       ->
//	                        <- Snapshot{everybody}     20 times a second
//	Bye                   ->
//	                        <- Over{why}               when the game ends
//
// A message is the bytes "AR", a version, a kind, and the kind's fields in big
// endian. It knows nothing of sockets, sessions or hosting.
package arenaproto

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of the protocol.
const (
	Version        = 1
	MaxPacketBytes = 1232 // fits every path without fragments; a full snapshot has 1213
	MaxTextBytes   = 256  // of a session id or a reason
	MaxPlayers     = 200
	// ArenaSize is the length of the square arena's side; positions go from 0 to
	// ArenaSize-1 on both axes.
	ArenaSize = 1 << 16
)

// Message is one of the types below.
type Message interface{ kind() byte }

type (
	// Hello asks to be let in. A player repeats it until it is answered.
	Hello struct{ PlayerSessionID string }

	// Input says where the player wants to go: a direction, each axis from -127
	// to 127. The server takes the newest Seq and ignores older ones.
	Input struct {
		Seq    uint32
		DX, DY int8
	}

	// Bye says that the player leaves.
	Bye struct{}

	// Welcome lets a player in.
	Welcome struct {
		Number uint8 // of this player in snapshots, from 1
		TickHz uint8 // snapshots a second
	}

	// Denied does not, and says why.
	Denied struct{ Reason string }

	// Snapshot is the whole state of the game after one tick.
	Snapshot struct {
		Tick           uint32
		SparkX, SparkY uint16 // what everybody wants to touch
		Players        []PlayerState
	}

	// Over ends the game for everybody.
	Over struct{ Reason string }
)

// PlayerState is a player in a [Snapshot].
type PlayerState struct {
	Number uint8
	X, Y   uint16
	Score  uint8 // stays at 255
}

const (
	kindHello byte = iota + 1
	kindInput
	kindBye
	kindWelcome
	kindDenied
	kindSnapshot
	kindOver
)

func (Hello) kind() byte    { return kindHello }
func (Input) kind() byte    { return kindInput }
func (Bye) kind() byte      { return kindBye }
func (Welcome) kind() byte  { return kindWelcome }
func (Denied) kind() byte   { return kindDenied }
func (Snapshot) kind() byte { return kindSnapshot }
func (Over) kind() byte     { return kindOver }

// Append writes a message to the end of b. Text beyond [MaxTextBytes] and
// players beyond [MaxPlayers] are cut off.
func Append(b []byte, m Message) []byte {
	b = append(b, 'A', 'R', Version, m.kind())
	switch m := m.(type) {
	case Hello:
		b = appendText(b, m.PlayerSessionID)
	case Input:
		b = binary.BigEndian.AppendUint32(b, m.Seq)
		b = append(b, byte(m.DX), byte(m.DY))
	case Welcome:
		b = append(b, m.Number, m.TickHz)
	case Denied:
		b = appendText(b, m.Reason)
	case Snapshot:
		b = binary.BigEndian.AppendUint32(b, m.Tick)
		b = binary.BigEndian.AppendUint16(b, m.SparkX)
		b = binary.BigEndian.AppendUint16(b, m.SparkY)
		players := m.Players[:min(len(m.Players), MaxPlayers)]
		b = append(b, byte(len(players)))
		for _, p := range players {
			b = append(b, p.Number)
			b = binary.BigEndian.AppendUint16(b, p.X)
			b = binary.BigEndian.AppendUint16(b, p.Y)
			b = append(b, p.Score)
		}
	case Over:
		b = appendText(b, m.Reason)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	s = s[:min(len(s), MaxTextBytes)]
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// ErrNotArena says that a datagram is from somebody else altogether.
var ErrNotArena = errors.New("not an arena message")

// Parse reads a datagram. It takes exactly what Append writes.
func Parse(b []byte) (Message, error) {
	if len(b) < 4 || b[0] != 'A' || b[1] != 'R' {
		return nil, ErrNotArena
	}
	if b[2] != Version {
		return nil, fmt.Errorf("arena version %d; this is version %d", b[2], Version)
	}
	r := reader{b: b[4:]}
	var m Message
	switch b[3] {
	case kindHello:
		m = Hello{PlayerSessionID: r.text()}
	case kindInput:
		m = Input{Seq: r.u32(), DX: int8(r.u8()), DY: int8(r.u8())}
	case kindBye:
		m = Bye{}
	case kindWelcome:
		m = Welcome{Number: r.u8(), TickHz: r.u8()}
	case kindDenied:
		m = Denied{Reason: r.text()}
	case kindSnapshot:
		m = r.snapshot()
	case kindOver:
		m = Over{Reason: r.text()}
	default:
		return nil, fmt.Errorf("arena message of unknown kind %d", b[3])
	}
	if r.failed || len(r.b) > 0 {
		return nil, fmt.Errorf("arena message of kind %d has the wrong length", b[3])
	}
	return m, nil
}

// reader takes fields off the front, and zeros once the message is too short.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.b, r.failed = nil, true
		return make([]byte, n)
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

func (r *reader) text() string {
	n := int(r.u16())
	if n > MaxTextBytes || n > len(r.b) {
		r.failed = true
		return ""
	}
	return string(r.take(n))
}

func (r *reader) snapshot() Snapshot {
	s := Snapshot{Tick: r.u32(), SparkX: r.u16(), SparkY: r.u16()}
	n := int(r.u8())
	if n > MaxPlayers {
		r.failed = true
		return s
	}
	for range n {
		s.Players = append(s.Players, PlayerState{Number: r.u8(), X: r.u16(), Y: r.u16(), Score: r.u8()})
	}
	return s
}
