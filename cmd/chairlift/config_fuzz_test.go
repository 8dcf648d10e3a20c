package main

import (
	"bytes"
	"testing"

	"github.com/alecthomas/kong"
)

// FuzzConfig reads any file as a configuration: it is refused, or gives every
// flag it names a value.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("addr: 127.0.0.1:9080\nlog-level: debug\n"))
	f.Add([]byte("sinks:\n- topic: arn:aws:sns:us-west-2:1:t\n  url: http://h/\n"))
	f.Add([]byte("a: &a [1, *a]\n? {b: c}\n: d\n"))
	f.Add([]byte("--- !!binary YQ==\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := readConfig(bytes.NewReader(text))
		if err != nil {
			return
		}
		for name := range c.(settings) {
			v, err := c.Resolve(nil, nil, &kong.Flag{Value: &kong.Value{Name: name}})
			if err != nil {
				t.Fatalf("%q cannot be written again: %v", name, err)
			}
			if _, ok := v.(string); !ok {
				t.Fatalf("%q has the value %v", name, v)
			}
		}
	})
}
