package arenaproto_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/examples/arena/arenaproto"
)

func messages() []arenaproto.Message {
	full := arenaproto.Snapshot{Tick: 1 << 31, SparkX: 65535, SparkY: 1}
	for i := range arenaproto.MaxPlayers {
		full.Players = append(full.Players, arenaproto.PlayerState{Number: uint8(i + 1), X: uint16(i), Y: 65535, Score: 255})
	}
	return []arenaproto.Message{
		arenaproto.Hello{PlayerSessionID: "psess-1"},
		arenaproto.Hello{},
		arenaproto.Input{Seq: 4_000_000_000, DX: -127, DY: 127},
		arenaproto.Bye{},
		arenaproto.Welcome{Number: 3, TickHz: 20},
		arenaproto.Denied{Reason: "no such player session"},
		arenaproto.Snapshot{},
		full,
		arenaproto.Over{Reason: "everybody left"},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, m := range messages() {
		b := arenaproto.Append(nil, m)
		if len(b) > arenaproto.MaxPacketBytes {
			t.Errorf("%T has %d bytes", m, len(b))
		}
		got, err := arenaproto.Parse(b)
		if err != nil {
			t.Errorf("%#v: %v", m, err)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("%T: -want +got\n%s", m, diff)
		}
		// Neither a byte less nor a byte more is the same message.
		if got, err := arenaproto.Parse(b[:len(b)-1]); err == nil {
			t.Errorf("%T without its last byte is %#v", m, got)
		}
		if got, err := arenaproto.Parse(append(b, 0)); err == nil {
			t.Errorf("%T with a byte more is %#v", m, got)
		}
	}
}

func TestTooLongIsCut(t *testing.T) {
	m, err := arenaproto.Parse(arenaproto.Append(nil, arenaproto.Denied{Reason: strings.Repeat("x", 1000)}))
	if err != nil || len(m.(arenaproto.Denied).Reason) != arenaproto.MaxTextBytes {
		t.Errorf("%v, %v", m, err)
	}
}

func TestStrangers(t *testing.T) {
	for _, b := range []string{"", "AR", "AR\x01", "BR\x01\x03", "AR\x02\x03", "AR\x01\x00", "AR\x01\x09", "AR\x01\x01\xff\xff"} {
		if m, err := arenaproto.Parse([]byte(b)); err == nil {
			t.Errorf("%q is %#v", b, m)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range messages() {
		f.Add(arenaproto.Append(nil, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := arenaproto.Parse(b)
		if err != nil {
			return
		}
		if again := arenaproto.Append(nil, m); !bytes.Equal(b, again) {
			t.Fatalf("%x was read as %#v, which is written as %x", b, m, again)
		}
	})
}
