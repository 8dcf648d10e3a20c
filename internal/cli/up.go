package cli

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
)

// UpCmd takes a folder to an ACTIVE fleet.
type UpCmd struct {
	Connection
	Path      string        `arg:"" optional:"" help:"Folder of the game server, or a single executable." type:"path"`
	Wrap      bool          `help:"Host a program without an SDK: its command follows --, and may be a program of the host."`
	Command   []string      `arg:"" optional:"" passthrough:"partial" help:"With --wrap: the program and its arguments."`
	Name      string        `help:"Name of the build and the fleet; default that of the folder or program."`
	Launch    string        `help:"Executable to launch, relative to the folder; default the only one there is."`
	Params    string        `help:"Parameters of the executable; {port} becomes a free port."`
	Processes int           `help:"Server processes on each instance, 1 to 50." default:"1"`
	Instances int           `help:"Instances to run." default:"1"`
	OS        string        `help:"Operating system of the build." default:"AMAZON_LINUX_2023"`
	Type      string        `help:"Instance type." default:"c5.large"`
	Timeout   time.Duration `help:"How long to wait for ACTIVE." default:"15m"`
}

// Run prints each step as it happens and ends with the fleet's id on a line of
// its own.
func (c *UpCmd) Run(w *World) error {
	files, launch, params, err := c.plan()
	if err != nil {
		return err
	}
	gl, err := c.client(w)
	if err != nil {
		return err
	}
	n, _, err := c.resolve(w)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(w.Ctx, c.Timeout)
	defer cancel()
	build, err := Upload(ctx, w, gl, n, c.Name, c.OS, files)
	if err != nil {
		return err
	}
	made, err := gl.CreateFleet(ctx, &api.CreateFleetInput{
		Name: c.Name, BuildId: &build, EC2InstanceType: &c.Type,
		RuntimeConfiguration: &api.RuntimeConfiguration{ServerProcesses: []api.ServerProcess{{
			LaunchPath: launch, Parameters: optional(params), ConcurrentExecutions: c.Processes,
		}}},
	})
	if err != nil {
		return err
	}
	fleet := *made.FleetAttributes.FleetId
	w.Printf("fleet %s created\n", fleet)
	if err := FollowFleet(ctx, w, gl, fleet); err != nil {
		return err
	}
	if c.Instances > 1 {
		if _, err := gl.UpdateFleetCapacity(ctx, &api.UpdateFleetCapacityInput{FleetId: fleet, DesiredInstances: &c.Instances, MaxSize: &c.Instances}); err != nil {
			return err
		}
		w.Printf("%d instances requested\n", c.Instances)
	}
	w.Printf("%s\n", fleet)
	return nil
}

// plan says what to upload and what to launch.
func (c *UpCmd) plan() (files []File, launch, params string, err error) {
	const root = "/local/game/"
	if c.Wrap {
		command := afterDashes(c.Command)
		if c.Path != "" { // the parser takes the first word after -- for the path
			command = append([]string{c.Path}, command...)
		}
		if len(command) == 0 {
			return nil, "", "", errors.New("nothing to wrap: chairlift up --wrap -- CMD ARGS")
		}
		self, err := os.Executable()
		if err != nil {
			return nil, "", "", fmt.Errorf("cannot find this program's own file, which the build must hold: %w", err)
		}
		first(&c.Name, c.Name, filepath.Base(command[0]))
		words := make([]string, len(command))
		for i, a := range command {
			words[i] = parameter(a)
		}
		return []File{{Name: "chairlift", Path: self, Mode: 0o755}}, root + "chairlift", "wrap --port {port} -- " + strings.Join(words, " "), nil
	}
	if c.Path == "" {
		return nil, "", "", errors.New("name the folder of your game server: chairlift up PATH")
	}
	files, err = Files(c.Path)
	if err != nil {
		return nil, "", "", err
	}
	first(&c.Name, c.Name, filepath.Base(c.Path))
	launch, err = launchPath(files, c.Launch)
	return files, root + launch, c.Params, err
}

// launchPath picks the executable of a build: the one named, or the only one.
func launchPath(files []File, named string) (string, error) {
	var programs []string
	for _, f := range files {
		if f.Name == filepath.ToSlash(named) {
			return f.Name, nil
		}
		if f.Mode&0o111 != 0 && f.Name != "install.sh" {
			programs = append(programs, f.Name)
		}
	}
	switch {
	case named != "":
		return "", fmt.Errorf("the build has no file %s; give --launch relative to the folder", named)
	case len(programs) == 1:
		return programs[0], nil
	case len(programs) == 0:
		return "", errors.New("the build has no executable file; name what to launch with --launch")
	}
	return "", fmt.Errorf("the build has several executable files (%s); name the one to launch with --launch", strings.Join(programs[:min(len(programs), 8)], ", "))
}

// parameter quotes a word as the agent splits parameters.
func parameter(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\"'\\") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// File is a file to go into a build.
type File struct {
	Name string // in the archive, with slashes
	Path string // here
	Mode fs.FileMode
}

// Files lists what is in a folder, or the one file that path names, by name.
func Files(path string) ([]File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("nothing to upload: %w", err)
	}
	if !info.IsDir() {
		return []File{{Name: filepath.Base(path), Path: path, Mode: info.Mode()}}, nil
	}
	var files []File
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(p) // a link becomes what it leads to
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		name, err := filepath.Rel(path, p)
		files = append(files, File{Name: filepath.ToSlash(name), Path: p, Mode: info.Mode()})
		return err
	})
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s is empty", path)
	}
	return files, err
}

// Upload makes a build of the files and waits until it is READY. It returns
// the build's id.
func Upload(ctx context.Context, w *World, gl *api.Client, n Notice, name, os string, files []File) (string, error) {
	made, err := gl.CreateBuild(ctx, &api.CreateBuildInput{Name: &name, Version: new(time.Now().UTC().Format("20060102-150405")), OperatingSystem: &os})
	if err != nil {
		return "", err
	}
	id := *made.Build.BuildId
	packed, err := pack(files)
	if err != nil {
		return id, err
	}
	defer packed.Close()
	size, err := packed.Seek(0, io.SeekEnd)
	if err != nil {
		return id, err
	}
	w.Printf("build %s: uploading %d files, %s\n", id, len(files), bytesize(size))
	target, err := url.Parse(n.URL)
	if err != nil {
		return id, fmt.Errorf("the service's address %q cannot be read: %w", n.URL, err)
	}
	target = target.JoinPath(*made.StorageLocation.Bucket, *made.StorageLocation.Key)
	uc := made.UploadCredentials
	creds := auth.Credentials{AccessKeyID: *uc.AccessKeyId, SecretAccessKey: *uc.SecretAccessKey, SessionToken: *uc.SessionToken}
	signed := auth.Presign(http.MethodPut, target, creds, n.Region, "s3", 10*time.Minute, time.Now())
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, signed.String(), io.NewSectionReader(packed, 0, size))
	if err != nil {
		return id, err
	}
	r.ContentLength = size
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return id, fmt.Errorf("upload: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
		return id, fmt.Errorf("upload refused: %s: %s", answer.Status, text)
	}
	for {
		d, err := gl.DescribeBuild(ctx, &api.DescribeBuildInput{BuildId: id})
		if err != nil {
			return id, err
		}
		switch deref(d.Build.Status) {
		case "READY":
			w.Printf("build %s is READY\n", id)
			return id, nil
		case "FAILED":
			return id, fmt.Errorf("build %s FAILED; the service refused the archive", id)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return id, err
		}
	}
}

// pack writes the files into a zip in a temporary file that is gone with its
// handle.
func pack(files []File) (*os.File, error) {
	f, err := os.CreateTemp("", "chairlift-build-*.zip")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // on Windows it stays; nothing better is at hand
	z := zip.NewWriter(f)
	for _, file := range files {
		if err := packFile(z, file); err != nil {
			f.Close()
			return nil, fmt.Errorf("packing %s: %w", file.Name, err)
		}
	}
	if err := z.Close(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func packFile(z *zip.Writer, file File) error {
	src, err := os.Open(file.Path)
	if err != nil {
		return err
	}
	defer src.Close()
	h := &zip.FileHeader{Name: file.Name, Method: zip.Deflate}
	h.SetMode(file.Mode.Perm())
	dst, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return err
}

// FollowFleet prints the fleet's events as they come until it is ACTIVE. If it
// fails the error is the reason.
func FollowFleet(ctx context.Context, w *World, gl *api.Client, fleet string) error {
	seen := map[string]bool{}
	for {
		d, err := gl.DescribeFleetAttributes(ctx, &api.DescribeFleetAttributesInput{FleetIds: []string{fleet}})
		if err != nil {
			return err
		}
		if len(d.FleetAttributes) == 0 {
			return fmt.Errorf("fleet %s is gone", fleet)
		}
		status := deref(d.FleetAttributes[0].Status)
		events, err := gl.DescribeFleetEvents(ctx, &api.DescribeFleetEventsInput{FleetId: fleet})
		if err != nil {
			return err
		}
		last := ""
		for _, e := range events.Events {
			if last = deref(e.Message); !seen[*e.EventId] {
				seen[*e.EventId] = true
				w.Printf("  %s %-45s %s\n", e.EventTime.Local().Format("15:04:05.000"), deref(e.EventCode), oneLine(last))
			}
		}
		switch status {
		case "ACTIVE":
			return nil
		case "ERROR", "DELETING", "TERMINATED":
			return fmt.Errorf("fleet %s is %s: %s\nmore: chairlift why fleet %s; chairlift logs %s", fleet, status, last, fleet, fleet)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("fleet %s is still %s: %w", fleet, status, err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 160 {
		return string(r[:159]) + "…"
	}
	return s
}

func bytesize(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
