package clients

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/need"

	// What the programs under test are made of: without them go test would
	// answer from its cache although the service has changed.
	_ "github.com/chairlift-games/chairlift/internal/agent"
	_ "github.com/chairlift-games/chairlift/internal/cli"
	_ "github.com/chairlift-games/chairlift/internal/server"
	_ "github.com/chairlift-games/chairlift/serversdk"
)

// bin is where the programs are, once TestMain has built them.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := need.Build(map[string]string{"chairlift": "../../cmd/chairlift", "arena": "../../examples/arena"})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		return m.Run()
	}())
}

// shortDir is a temporary folder with a path short enough for sockets.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "cl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// eventsFile is where a service tells events of the topic that the journey's
// matchmaker names, beside its data folder.
const eventsFile = "events.jsonl"

// serve starts a service and returns its address and data folder. It ends with
// the test, and the games it started with it.
func serve(t *testing.T) (addr, data string) {
	t.Helper()
	dir := shortDir(t)
	data = filepath.Join(dir, "data")
	log, err := os.Create(filepath.Join(dir, "serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	start := func(args ...string) (*exec.Cmd, string) {
		cmd := exec.Command(filepath.Join(bin, "chairlift"), append([]string{"serve", "--addr", "127.0.0.1:0", "--data", data, "--host", "shared", "--dns-suffix", "localhost"}, args...)...)
		cmd.Env = append(os.Environ(), `CHAIRLIFT_SINKS=[{"name": "journey", "file": "`+filepath.Join(dir, eventsFile)+`", "topics": ["arn:aws:sns:us-west-2:000000000000:matches"]}]`)
		cmd.Stderr = log
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Error(err)
			return nil, ""
		}
		text, _ := bufio.NewReader(out).ReadString('\n')
		_, addr, _ := strings.Cut(strings.TrimSpace(text), "addr=")
		addr, _, _ = strings.Cut(addr, " ")
		go func() { _, _ = io.Copy(io.Discard, out) }()
		return cmd, addr
	}
	cmd, addr := start()
	t.Cleanup(func() {
		if cmd != nil {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
		if cmd, _ := start("--stop-instances"); cmd != nil {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("the service's log:\n%s", b)
		}
		log.Close()
	})
	if addr == "" {
		t.Fatal("the service did not start")
	}
	return addr, data
}

// script is a packed Realtime script: its path, and its content in Base64.
func script(t *testing.T) (path, content string) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("game.js")
	if err == nil {
		_, err = io.WriteString(w, "exports.ssExports = {init: session => {}};\n")
	}
	if err == nil {
		err = z.Close()
	}
	path = filepath.Join(t.TempDir(), "script.zip")
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, base64.StdEncoding.EncodeToString(b.Bytes())
}

// game is a folder with the example game and something that does not compress,
// so that an upload takes several parts, and the same folder packed.
func game(t *testing.T) (root, archive string) {
	t.Helper()
	dir := t.TempDir()
	root, archive = filepath.Join(dir, "game"), filepath.Join(dir, "game.zip")
	arena, err := os.ReadFile(filepath.Join(bin, "arena"))
	if err != nil {
		t.Fatal(err)
	}
	assets := make([]byte, 9<<20)
	for i, x := 0, uint32(1); i < len(assets); i++ {
		x = x*1664525 + 1013904223
		assets[i] = byte(x >> 24)
	}
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"arena": arena, "assets.pak": assets} {
		h := &zip.FileHeader{Name: name, Method: zip.Store, Modified: time.Now()}
		h.SetMode(0o755)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write(content)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(root, name), content, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return root, archive
}
