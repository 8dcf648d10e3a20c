package wire

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"
)

// cborEncoder implements [api.Encoder] for CBOR: definite lengths, shortest
// whole numbers, doubles of 64 bits, floats of 32, times as tag 1. The zero value is ready.
type cborEncoder struct {
	buf  []byte
	open []cborOpen
}

// A cborOpen is an object or list that has begun. The count of an object is
// known at its end only: its head has one byte until then.
type cborOpen struct {
	head int // offset of an object's head; -1 for a list
	keys uint64
}

// appendHead writes a major type and its number in the shortest form.
func appendHead(buf []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(buf, major|byte(n))
	case n <= math.MaxUint8:
		return append(buf, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(buf, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(buf, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(buf, major|27), n)
}

func (e *cborEncoder) Object() {
	e.open = append(e.open, cborOpen{head: len(e.buf)})
	e.buf = append(e.buf, cborMap<<5)
}

func (e *cborEncoder) List(n int) {
	e.open = append(e.open, cborOpen{head: -1})
	e.buf = appendHead(e.buf, cborList, uint64(n))
}

func (e *cborEncoder) End() {
	o := e.open[len(e.open)-1]
	e.open = e.open[:len(e.open)-1]
	switch {
	case o.head < 0:
	case o.keys < 24:
		e.buf[o.head] = cborMap<<5 | byte(o.keys)
	default:
		var head [9]byte
		e.buf = slices.Replace(e.buf, o.head, o.head+1, appendHead(head[:0], cborMap, o.keys)...)
	}
}

func (e *cborEncoder) Key(name string) {
	e.open[len(e.open)-1].keys++
	e.String(name)
}

// String writes text; what is not UTF-8 in it becomes U+FFFD.
func (e *cborEncoder) String(s string) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	e.buf = append(appendHead(e.buf, cborText, uint64(len(s))), s...)
}

func (e *cborEncoder) Int(v int64) {
	if v < 0 {
		e.buf = appendHead(e.buf, cborNegative, uint64(-1-v))
	} else {
		e.buf = appendHead(e.buf, cborUint, uint64(v))
	}
}

func (e *cborEncoder) Float(v float64) {
	e.buf = binary.BigEndian.AppendUint64(append(e.buf, cborSimple<<5|27), math.Float64bits(v))
}

// Float32 keeps the width: Go's SDK refuses a wider number for a float.
func (e *cborEncoder) Float32(v float32) {
	e.buf = binary.BigEndian.AppendUint32(append(e.buf, cborSimple<<5|26), math.Float32bits(v))
}

func (e *cborEncoder) Bool(v bool) {
	if v {
		e.buf = append(e.buf, cborSimple<<5|21)
	} else {
		e.buf = append(e.buf, cborSimple<<5|20)
	}
}

func (e *cborEncoder) Time(t time.Time) {
	e.buf = append(e.buf, cborTag<<5|1)
	e.Float(float64(t.UnixMilli()) / 1000)
}

func (e *cborEncoder) Blob(b []byte) {
	e.buf = append(appendHead(e.buf, cborBytes, uint64(len(b))), b...)
}
