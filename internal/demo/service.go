package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/cli"
)

// service is the `chairlift serve` that the demo started.
type service struct {
	cmd    *exec.Cmd
	data   string
	exited chan struct{}
}

// serve starts a service in a temporary folder, or takes the one that --server
// names.
func (d *demo) serve(ctx context.Context) error {
	if d.Server != "" {
		getenv := d.world.Getenv
		d.Notice = cli.Notice{URL: d.Server, Region: getenv("AWS_REGION")}
		if d.Region == "" {
			d.Region = "us-west-2"
		}
		d.creds = auth.Credentials{AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: getenv("AWS_SESSION_TOKEN")}
		if d.creds.AccessKeyID == "" {
			return errors.New("--server needs the service's key: eval \"$(chairlift env)\" first")
		}
		return nil
	}
	d.screen.begin("start the service")
	data, err := os.MkdirTemp("", "chairlift-demo-")
	if err != nil {
		return err
	}
	d.onCleanup(func(context.Context) { os.RemoveAll(data) })
	s, err := d.start(ctx, data)
	if err != nil {
		return err
	}
	d.server = s
	d.onCleanup(s.stop)
	if d.creds, err = auth.ReadCredentials(filepath.Join(data, "credentials")); err != nil {
		return err
	}
	d.screen.done("%s", d.URL)
	return nil
}

// start runs the service until it says that it is ready.
func (d *demo) start(ctx context.Context, data string) (*service, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	errors, err := os.Create(filepath.Join(data, "serve.log"))
	if err != nil {
		return nil, err
	}
	defer errors.Close()
	cmd := exec.Command(self, "serve", "--addr", d.Addr, "--data", data, "--host", d.Host, "--stop-instances")
	cmd.Stderr = errors
	cmd.SysProcAttr = apart()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &service{cmd: cmd, data: data, exited: make(chan struct{})}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				ready <- lines.Text()
			}
		}
		_ = cmd.Wait()
		close(s.exited)
	}()
	select {
	case line := <-ready:
		d.URL, d.Region = field(line, "url"), field(line, "region")
		return s, nil
	case <-s.exited:
		text, _ := os.ReadFile(filepath.Join(data, "serve.log"))
		return nil, fmt.Errorf("the service did not start: %s", text)
	case <-time.After(20 * time.Second):
		s.stop(ctx)
		return nil, fmt.Errorf("the service was not ready within 20 s")
	case <-ctx.Done():
		s.stop(context.WithoutCancel(ctx))
		return nil, ctx.Err()
	}
}

func field(line, name string) string {
	for _, f := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(f, name+"="); ok {
			return v
		}
	}
	return ""
}

// stop ends the service, which ends its instances.
func (s *service) stop(ctx context.Context) {
	if s.cmd.Process.Signal(syscall.SIGTERM) != nil {
		_ = s.cmd.Process.Kill() // Windows has no polite signal
	}
	select {
	case <-s.exited:
	case <-ctx.Done():
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}
