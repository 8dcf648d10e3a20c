package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// cborDecoder implements [api.Decoder] for CBOR (RFC 8949) as Smithy's RPC v2
// uses it. It reads definite and indefinite lengths, every width of number, a
// whole number sent as a double, and passes over tags it has no use for.
type cborDecoder struct {
	data []byte
	pos  int
	open []int64 // items left in the open maps and lists; -1: until a break
	room [8]int64
}

// The major types of RFC 8949, section 3.1.
const (
	cborUint, cborNegative, cborBytes, cborText = 0, 1, 2, 3
	cborList, cborMap, cborTag, cborSimple      = 4, 5, 6, 7

	cborIndefinite = 31
	cborBreak      = 0xff
	cborNull       = 0xf6
	cborUndefined  = 0xf7
)

var errCBOREnds = errors.New("is not valid CBOR: the data end early")

func (d *cborDecoder) invalid(format string, args ...any) error {
	return fmt.Errorf("is not valid CBOR at byte %d: %s", d.pos, fmt.Sprintf(format, args...))
}

func (d *cborDecoder) done() error {
	if d.pos < len(d.data) {
		return d.invalid("data after the end of the map")
	}
	return nil
}

// A cborHead is what begins every item: a major type and a number, which is the
// value, the length or the count.
type cborHead struct {
	major byte
	info  byte // the low five bits: how the number is held
	n     uint64
}

// head takes the head of the next item that is not a tag, and says which tag,
// if any, stood right before it.
func (d *cborDecoder) head() (h cborHead, tag uint64, err error) {
	for range 8 {
		if h, err = d.rawHead(); err != nil || h.major != cborTag {
			return h, tag, err
		}
		tag = h.n
	}
	return h, 0, d.invalid("too many tags")
}

func (d *cborDecoder) rawHead() (cborHead, error) {
	if d.pos >= len(d.data) {
		return cborHead{}, errCBOREnds
	}
	c := d.data[d.pos]
	h := cborHead{major: c >> 5, info: c & 31}
	rest := d.data[d.pos+1:]
	size := 0
	switch {
	case h.info < 24:
		h.n = uint64(h.info)
	case h.info <= 27:
		size = 1 << (h.info - 24)
		if len(rest) < size {
			return h, errCBOREnds
		}
		switch size {
		case 1:
			h.n = uint64(rest[0])
		case 2:
			h.n = uint64(binary.BigEndian.Uint16(rest))
		case 4:
			h.n = uint64(binary.BigEndian.Uint32(rest))
		case 8:
			h.n = binary.BigEndian.Uint64(rest)
		}
		if h.major == cborSimple && size == 1 && h.n < 32 { // RFC 8949, section 3.3
			return h, d.invalid("simple value %d in two bytes", h.n)
		}
	case h.info == cborIndefinite && h.major >= cborBytes && h.major != cborTag:
	default:
		return h, d.invalid("reserved head %#x", c)
	}
	d.pos += 1 + size
	return h, nil
}

// wrong describes an item that is not the wanted one.
func (d *cborDecoder) wrong(wanted string, h cborHead) error {
	got := "a simple value"
	switch h.major {
	case cborUint, cborNegative:
		got = "a whole number"
	case cborBytes:
		got = "a byte string"
	case cborText:
		got = "a string"
	case cborList:
		got = "a list"
	case cborMap:
		got = "a map"
	case cborSimple:
		switch h.info {
		case 20, 21:
			got = "a boolean"
		case 22, 23:
			got = "null"
		case 25, 26, 27:
			got = "a number with a fraction"
		case cborIndefinite:
			return d.invalid("a break where a value is expected")
		}
	}
	return fmt.Errorf("must be %s, got %s", wanted, got)
}

func (d *cborDecoder) Null() bool {
	if d.pos < len(d.data) && (d.data[d.pos] == cborNull || d.data[d.pos] == cborUndefined) {
		d.pos++
		return true
	}
	return false
}

func (d *cborDecoder) Bool() (bool, error) {
	h, _, err := d.head()
	if err != nil {
		return false, err
	}
	if h.major != cborSimple || (h.info != 20 && h.info != 21) {
		return false, d.wrong("true or false", h)
	}
	return h.info == 21, nil
}

// bytes takes the content of a byte or text string after its head. The result
// is a piece of the data unless the string comes in chunks.
func (d *cborDecoder) bytes(h cborHead) ([]byte, error) {
	if h.info != cborIndefinite {
		if h.n > uint64(len(d.data)-d.pos) {
			return nil, errCBOREnds
		}
		b := d.data[d.pos : d.pos+int(h.n)]
		d.pos += int(h.n)
		return b, nil
	}
	all := []byte{}
	for {
		if d.pos < len(d.data) && d.data[d.pos] == cborBreak {
			d.pos++
			return all, nil
		}
		chunk, err := d.rawHead()
		if err != nil {
			return nil, err
		}
		if chunk.major != h.major || chunk.info == cborIndefinite {
			return nil, d.invalid("a chunk of another type inside a string")
		}
		b, err := d.bytes(chunk)
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
}

func (d *cborDecoder) text(h cborHead) ([]byte, error) {
	b, err := d.bytes(h)
	if err == nil && !utf8.Valid(b) {
		err = d.invalid("a string is not UTF-8")
	}
	return b, err
}

func (d *cborDecoder) String() (string, error) {
	h, _, err := d.head()
	if err != nil {
		return "", err
	}
	if h.major != cborText {
		return "", d.wrong("a string", h)
	}
	b, err := d.text(h)
	return string(b), err
}

func (d *cborDecoder) Blob() ([]byte, error) {
	h, _, err := d.head()
	if err != nil {
		return nil, err
	}
	if h.major != cborBytes {
		return nil, d.wrong("a byte string", h)
	}
	b, err := d.bytes(h)
	return append([]byte{}, b...), err
}

func (d *cborDecoder) Int() (int64, error) {
	h, _, err := d.head()
	if err != nil {
		return 0, err
	}
	switch {
	case h.major > cborNegative:
		f, ok := h.float()
		if !ok {
			return 0, d.wrong("a whole number", h)
		}
		return wholeNumber(f)
	case h.n > math.MaxInt64:
		return 0, errors.New("must be a whole number of 64 bits")
	case h.major == cborNegative:
		return -1 - int64(h.n), nil
	}
	return int64(h.n), nil
}

// float returns the number h holds, if it holds one.
func (h cborHead) float() (float64, bool) {
	switch {
	case h.major == cborUint:
		return float64(h.n), true
	case h.major == cborNegative:
		return -1 - float64(h.n), true
	case h.major == cborSimple && h.info == 25:
		return half(uint16(h.n)), true
	case h.major == cborSimple && h.info == 26:
		return float64(math.Float32frombits(uint32(h.n))), true
	case h.major == cborSimple && h.info == 27:
		return math.Float64frombits(h.n), true
	}
	return 0, false
}

// half decodes a 16-bit float: 1 bit sign, 5 bits exponent, 10 bits fraction.
func half(bits uint16) float64 {
	exp, frac := int(bits>>10&31), float64(bits&1023)
	var v float64
	switch exp {
	case 0:
		v = math.Ldexp(frac, -24)
	case 31:
		v = math.Inf(1)
		if frac != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(1024+frac, exp-25)
	}
	if bits>>15 != 0 {
		v = -v
	}
	return v
}

func (d *cborDecoder) Float() (float64, error) {
	h, _, err := d.head()
	if err != nil {
		return 0, err
	}
	f, ok := h.float()
	if !ok {
		return 0, d.wrong("a number", h)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("must be a finite number, got %v", f)
	}
	return f, nil
}

// Time reads tag 1 with any number, or the number alone.
func (d *cborDecoder) Time() (time.Time, error) {
	h, tag, err := d.head()
	if err != nil {
		return time.Time{}, err
	}
	f, ok := h.float()
	if !ok || tag > 1 {
		return time.Time{}, d.wrong("a time as seconds since 1970", h)
	}
	return epoch(f)
}

func (d *cborDecoder) begin(major byte, wanted string) error {
	h, _, err := d.head()
	if err != nil {
		return err
	}
	if h.major != major {
		return d.wrong(wanted, h)
	}
	if len(d.open) >= maxDepth {
		return fmt.Errorf("is nested deeper than %d levels", maxDepth)
	}
	if d.open == nil {
		d.open = d.room[:0]
	}
	left := int64(-1)
	if h.info != cborIndefinite {
		if h.n > uint64(len(d.data)-d.pos) { // every item takes at least a byte
			return errCBOREnds
		}
		left = int64(h.n)
	}
	d.open = append(d.open, left)
	return nil
}

func (d *cborDecoder) Object() error { return d.begin(cborMap, "a map") }
func (d *cborDecoder) List() error   { return d.begin(cborList, "a list") }

func (d *cborDecoder) More() (bool, error) {
	last := len(d.open) - 1
	switch left := d.open[last]; {
	case left > 0:
		d.open[last]--
		return true, nil
	case left < 0:
		if d.pos >= len(d.data) {
			return false, errCBOREnds
		}
		if d.data[d.pos] != cborBreak {
			return true, nil
		}
		d.pos++
	}
	d.open = d.open[:last]
	return false, nil
}

func (d *cborDecoder) Key() ([]byte, bool, error) {
	more, err := d.More()
	if !more || err != nil {
		return nil, false, err
	}
	h, _, err := d.head()
	if err != nil {
		return nil, false, err
	}
	if h.major != cborText {
		return nil, false, d.invalid("a map whose key is no string")
	}
	name, err := d.text(h)
	return name, err == nil, err
}

func (d *cborDecoder) Skip() error {
	at := d.pos
	h, _, err := d.head()
	if err != nil {
		return err
	}
	switch h.major {
	case cborBytes, cborText:
		_, err = d.bytes(h)
	case cborList:
		d.pos = at
		if err = d.List(); err != nil {
			return err
		}
		for {
			more, err := d.More()
			if err != nil || !more {
				return err
			}
			if err := d.Skip(); err != nil {
				return err
			}
		}
	case cborMap:
		d.pos = at
		if err = d.Object(); err != nil {
			return err
		}
		for {
			_, more, err := d.Key()
			if err != nil || !more {
				return err
			}
			if err := d.Skip(); err != nil {
				return err
			}
		}
	case cborSimple:
		if h.info == cborIndefinite {
			err = d.invalid("a break where a value is expected")
		}
	}
	return err
}
