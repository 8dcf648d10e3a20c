package wire

import (
	"sync"

	"github.com/chairlift-games/chairlift/api"
)

// A codec is one of the protocols' ways to write structures.
type codec struct {
	contentType string
	protocol    string // of the header Smithy-Protocol, or empty
	empty       []byte // an object without members
	decode      func(body []byte, read func(api.Decoder) error) error
	encode      func(buf []byte, write func(api.Encoder)) []byte
}

var jsonCodec = &codec{
	contentType: "application/x-amz-json-1.1",
	empty:       []byte("{}"),
	decode: func(body []byte, read func(api.Decoder) error) error {
		d := &jsonDecoder{data: body}
		if err := read(d); err != nil {
			return err
		}
		return rest(d.done())
	},
	encode: func(buf []byte, write func(api.Encoder)) []byte {
		e := &jsonEncoder{buf: buf}
		write(e)
		return e.buf
	},
}

var cborCodec = &codec{
	contentType: "application/cbor",
	protocol:    "rpc-v2-cbor",
	empty:       []byte{cborMap << 5},
	decode: func(body []byte, read func(api.Decoder) error) error {
		d := &cborDecoder{data: body}
		if err := read(d); err != nil {
			return err
		}
		return rest(d.done())
	},
	encode: func(buf []byte, write func(api.Encoder)) []byte {
		e := &cborEncoder{buf: buf}
		write(e)
		return e.buf
	},
}

// rest makes an error about what follows a value one of decoding.
func rest(err error) error {
	if err == nil {
		return nil
	}
	return &api.DecodeError{Problem: err.Error()}
}

// decodeInput reads and checks an operation's input. Nothing at all is an empty
// object.
func (c *codec) decodeInput(body []byte, x api.Shape) error {
	if len(body) == 0 {
		body = c.empty
	}
	var findings error
	err := c.decode(body, func(d api.Decoder) error {
		err := api.DecodeInput(d, x)
		if f, ok := err.(api.Findings); ok {
			findings = f
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	return findings
}

// buffers are reused for bodies in and out: decoders copy what they return.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, 4<<10)) }}

// maxKept is the largest buffer worth keeping, in bytes.
const maxKept = 64 << 10

func putBuffer(b *[]byte) {
	if cap(*b) <= maxKept {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}
