package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs the program in this process and returns what it printed.
func command(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var o, e bytes.Buffer
	code = run(ctx, args, stopWhenReady{&o, cancel}, &e)
	return code, o.String(), e.String()
}

// stopWhenReady ends a service as soon as it says that it serves.
type stopWhenReady struct {
	io.Writer
	stop func()
}

func (w stopWhenReady) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("ready ")) {
		w.stop()
	}
	return w.Writer.Write(b)
}

func TestConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "c.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	data := filepath.Join(dir, "data")

	_, out, errOut := command(t, "--config", file("addr: 127.0.0.1:0\nregion: eu-west-1\nhost: none\n"), "serve", "--data", data)
	if !strings.Contains(out, "region=eu-west-1") {
		t.Errorf("the file's region does not count: %s%s", out, errOut)
	}
	t.Setenv("CHAIRLIFT_REGION", "eu-west-2")
	_, out, errOut = command(t, "--config", file("addr: 127.0.0.1:0\nregion: eu-west-1\nhost: none\n"), "serve", "--data", data)
	if !strings.Contains(out, "region=eu-west-2") {
		t.Errorf("the variable does not win over the file: %s%s", out, errOut)
	}
	_, out, errOut = command(t, "serve", "--addr", "127.0.0.1:0", "--host", "none", "--data", data, "--region", "eu-west-3")
	if !strings.Contains(out, "region=eu-west-3") {
		t.Errorf("the flag does not win over the variable: %s%s", out, errOut)
	}
	code, _, errOut := command(t, "--config", file("adr: 127.0.0.1:0\n"), "serve", "--data", data)
	if code != 2 || !strings.Contains(errOut, `"adr"`) || !strings.Contains(errOut, "addr") {
		t.Errorf("an unknown key: exit %d, %s", code, errOut)
	}
	code, _, errOut = command(t, "--config", file("- a list\n"), "serve", "--data", data)
	if code != 2 || !strings.Contains(errOut, "YAML mapping") {
		t.Errorf("not a mapping: exit %d, %s", code, errOut)
	}
}

func TestMistakesAreExplained(t *testing.T) {
	// Without a host: its agents would be this test program.
	serve := func(args ...string) []string {
		return append([]string{"serve", "--data", t.TempDir(), "--addr", "127.0.0.1:0", "--host", "none"}, args...)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"serve", "--adr", "x"}, 2, "unknown flag --adr"},
		{serve("--account", "12"), 1, "12 digits"},
		{serve("--profile", "medieval"), 2, "must be one of"},
		{serve("--store", "mysql://x"), 1, "sqlite:PATH"},
		{[]string{"env", "--data", t.TempDir()}, 1, "chairlift serve"},
		{[]string{"up", "--wrap", "--data", t.TempDir()}, 1, "CMD ARGS"},
		{[]string{"agent"}, 1, "not started by a host"},
		{[]string{"fly"}, 2, "fly"},
	} {
		code, _, errOut := command(t, c.args...)
		if code != c.code || !strings.Contains(errOut, c.want) {
			t.Errorf("chairlift %s: exit %d, %q; want exit %d and %q", strings.Join(c.args, " "), code, errOut, c.code, c.want)
		}
	}
}

func TestUnknownVariablesOnlyWarn(t *testing.T) {
	t.Setenv("CHAIRLIFT_ADRR", "x")
	code, out, errOut := command(t, "version")
	if code != 0 || !strings.Contains(out, "chairlift ") || !strings.Contains(errOut, "CHAIRLIFT_ADRR") {
		t.Errorf("exit %d, %q, %q", code, out, errOut)
	}
}
