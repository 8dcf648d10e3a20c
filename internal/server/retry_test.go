package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/gamelift"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/need"
)

// A lossy transport carries requests out and loses the first answer, after which
// something happens.
type lossy struct {
	http.RoundTripper
	lost  func()
	tries int
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(r)
	if l.tries++; l.tries > 1 || err != nil {
		return answer, err
	}
	answer.Body.Close()
	if l.lost != nil {
		l.lost()
	}
	return nil, errors.New("connection reset by peer")
}

// TestLostAnswers: when the stock SDK tries again because an answer was lost,
// one build and one alias are made, even if the service was started anew meanwhile.
func TestLostAnswers(t *testing.T) {
	dir := t.TempDir()
	o := Options{Addr: "127.0.0.1:0", Data: dir}
	stop := func() {}
	start := func() {
		t.Helper()
		s, err := Open(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		o.Addr = s.Addr() // the same at the next start
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		stop = sync.OnceFunc(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	start()
	t.Cleanup(func() { stop() })
	c, err := auth.ReadCredentials(filepath.Join(dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	client := func(transport http.RoundTripper) *gamelift.Client {
		return gamelift.NewFromConfig(aws.Config{
			Region: "us-west-2", BaseEndpoint: new("http://" + o.Addr), HTTPClient: &http.Client{Transport: transport},
			Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, ""),
		})
	}
	for name, lost := range map[string]func(){"dropped": nil, "restarted": func() { stop(); start() }} {
		t.Run(name, func(t *testing.T) {
			l := &lossy{RoundTripper: &http.Transport{DisableKeepAlives: true}, lost: lost}
			made, err := client(l).CreateBuild(t.Context(), &gamelift.CreateBuildInput{Name: &name})
			if err != nil {
				t.Fatal(err)
			}
			list, err := client(nil).ListBuilds(t.Context(), &gamelift.ListBuildsInput{})
			if err != nil {
				t.Fatal(err)
			}
			var mine []string
			for _, b := range list.Builds {
				if *b.Name == name {
					mine = append(mine, *b.BuildId)
				}
			}
			if l.tries != 2 || len(mine) != 1 || mine[0] != *made.Build.BuildId {
				t.Errorf("%d tries made the builds %v, the answer is %s", l.tries, mine, *made.Build.BuildId)
			}
		})
	}

	t.Run("the AWS CLI", func(t *testing.T) {
		cli := need.Program(t, "aws", "the Debian package awscli")
		target, err := url.Parse("http://" + o.Addr)
		if err != nil {
			t.Fatal(err)
		}
		l := &lossy{RoundTripper: http.DefaultTransport}
		proxy := &httputil.ReverseProxy{
			Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
			Transport:    l,
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // hangs up
		}
		front := httptest.NewServer(proxy)
		defer front.Close()
		cmd := exec.Command(cli, "--endpoint-url", front.URL, "--region", "us-west-2", "gamelift", "create-build", "--name", "by-cli", "--query", "Build.BuildId", "--output", "text")
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+c.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+c.SecretAccessKey, "AWS_PAGER=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		list, err := client(nil).ListBuilds(t.Context(), &gamelift.ListBuildsInput{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, b := range list.Builds {
			if *b.Name == "by-cli" {
				n++
			}
		}
		if l.tries != 2 || n != 1 || !strings.HasPrefix(string(out), "build-") {
			t.Errorf("%d tries made %d builds\n%s", l.tries, n, out)
		}
	})
}
