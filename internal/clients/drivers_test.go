package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/need"
)

// A client is one AWS client of one age, and the way to its driver.
type client struct {
	name     string
	since    string // year and month of its model of the API
	newest   bool   // it knows every member
	corrects bool   // a wrong clock
	old      bool   // needs chairlift env --old-cli
	command  func(t *testing.T, c *client) []string
}

// all are the clients that make the journey.
var all = []*client{
	{name: "aws-cli 2.9.19", since: "2022-12", old: true, command: debian("cli.py", "awscli", "awscli")},
	{name: "boto3 1.26.27", since: "2022-11", command: debian("boto.py", "boto3", "python3-boto3")},
	{name: "aws-sdk-js 2", since: "2024-09", corrects: true, command: node("v2.js", "aws-sdk@2.1693.0")},
	{name: "aws-sdk-js 3", newest: true, corrects: true, command: node("v3.js", "@aws-sdk/client-gamelift@"+js3(), "@aws-sdk/client-s3@"+js3())},
	{name: "aws-sdk-go 1.23.14", since: "2019-09", command: golang("gov1", "go.mod")},
	{name: "aws-sdk-go-v2 JSON", since: "2025-12", command: golang("gov2", "json.mod")},
	{name: "aws-sdk-go-v2 CBOR", newest: true, corrects: true, command: golang("gov2", "go.mod")},
	{name: "aws-cli of this Python", newest: true, command: thisPython("cli.py", "awscli")},
	{name: "boto3 of this Python", newest: true, command: thisPython("boto.py", "boto3")},
}

const debianPython = "/usr/bin/python3"

// debian runs a driver with the Python that Debian's packages are for.
func debian(driver, module, pkg string) func(*testing.T, *client) []string {
	return func(t *testing.T, c *client) []string {
		got := version(debianPython, module)
		if got == "" {
			need.Skip(t, "Debian's %s is not installed; get it with the Debian package %s", module, pkg)
		}
		if !strings.HasSuffix(c.name, " "+got) {
			t.Logf("%s is version %s here", c.name, got)
			c.newest = false
		}
		return []string{debianPython, "drivers/" + driver}
	}
}

// thisPython runs a driver with the first Python of the path, if it is not
// Debian's and has the client. That is an extra: nothing has to install it.
func thisPython(driver, module string) func(*testing.T, *client) []string {
	return func(t *testing.T, c *client) []string {
		path, err := exec.LookPath("python3")
		got := version(path, module)
		switch {
		case err != nil || got == "" || path == debianPython || got == version(debianPython, module):
			t.Skipf("an extra: no Python here has a %s beside Debian's", module)
		case module == "boto3" && got < "1.43", module == "awscli" && got < "1.45":
			c.newest, c.since = false, "2025-12"
		}
		t.Logf("%s %s", module, got)
		return []string{path, "drivers/" + driver}
	}
}

func version(python, module string) string {
	out, err := exec.Command(python, "-c", "import "+module+" as m; print(m.__version__)").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// js3 is the version of the SDK for JavaScript that this Node can run.
func js3() string {
	out, _ := exec.Command("node", "--version").Output()
	if v := strings.TrimSpace(string(out)); v != "" && len(v) < len("v20.0.0") || v < "v20" {
		return "3.958.0" // the last of those for Node 18, which is Debian 12's
	}
	return "3.1133.0"
}

var npm sync.Mutex // one installation at a time

// node runs a driver with packages of npm, kept in the user's cache.
func node(driver string, packages ...string) func(*testing.T, *client) []string {
	return func(t *testing.T, _ *client) []string {
		node := need.Program(t, "node", "the Debian package nodejs")
		npm.Lock()
		defer npm.Unlock()
		cache, err := os.UserCacheDir()
		if err != nil {
			cache = os.TempDir()
		}
		dir := filepath.Join(cache, "chairlift-tests", strings.NewReplacer("/", "-", "@", "-").Replace(strings.Join(packages, "+")))
		if done := filepath.Join(dir, "installed"); !exists(done) {
			program := need.Program(t, "npm", "the Debian package npm")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"}, packages...)
			if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
				need.Skip(t, "npm cannot install %s: %v: %s", packages, err, out)
			}
			if err := os.WriteFile(done, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return []string{"env", "NODE_PATH=" + filepath.Join(dir, "node_modules"), node, "drivers/" + driver}
	}
}

// golang builds and runs a driver of the module beside this package.
func golang(driver, modfile string) func(*testing.T, *client) []string {
	return func(t *testing.T, _ *client) []string {
		out := filepath.Join(t.TempDir(), driver)
		cmd := exec.Command("go", "build", "-modfile", modfile, "-o", out, "./"+driver)
		cmd.Dir = "golang"
		if text, err := cmd.CombinedOutput(); err != nil {
			if strings.Contains(string(text), "dial tcp") {
				need.Skip(t, "the modules of %s cannot be had: %s", driver, text)
			}
			t.Fatalf("%v\n%s", err, text)
		}
		return []string{out}
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// A driver is a running one.
type driver struct {
	in     io.Writer
	out    *bufio.Reader
	errOut bytes.Buffer
}

// drive starts a client's driver in the environment that `chairlift env` prints.
func drive(t *testing.T, c *client, url, data string) *driver {
	t.Helper()
	args := []string{filepath.Join(bin, "chairlift"), "env", "--data", data, "--url", url}
	if c.old {
		args = append(args, "--old-cli")
	}
	const script = `eval "$("$@")"; eval exec "$command"`
	cmd := exec.Command("sh", append([]string{"-c", script, "sh"}, args...)...)
	mine := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "CHAIRLIFT_") })
	cmd.Env = append(mine, "AWS_PAGER=", "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE=1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+filepath.Join(data, "no-config"), "command="+strings.Join(c.command(t, c), " "))
	d := &driver{}
	cmd.Stderr = &d.errOut
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.in, d.out = in, bufio.NewReaderSize(out, 1<<20)
	t.Cleanup(func() {
		in.Close()
		stop := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		stop.Stop()
	})
	return d
}

// An answer is what a driver says.
type answer struct {
	Out     any
	Unknown string
	Error   *struct{ Code, Message string }
}

func (d *driver) ask(question map[string]any) (answer, error) {
	b, err := json.Marshal(question)
	if err != nil {
		return answer{}, err
	}
	if _, err := d.in.Write(append(b, '\n')); err != nil {
		return answer{}, fmt.Errorf("the driver is gone: %w: %s", err, d.errOut.String())
	}
	line, err := d.out.ReadBytes('\n')
	if err != nil {
		return answer{}, fmt.Errorf("the driver is gone: %w: %s", err, d.errOut.String())
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("the driver says %q: %w", line, err)
	}
	return a, nil
}
