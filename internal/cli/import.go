package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/chairlift-games/chairlift/api"
)

// ImportCmd makes here what files say of an account on another service.
type ImportCmd struct {
	Connection
	Files  []string          `arg:"" help:"Files, or folders of *.json, with what aws gamelift describe and list commands print." type:"path"`
	Build  map[string]string `help:"What stands here for a build there: its id there, and the folder of its files or the id of a build here." placeholder:"ID=FOLDER"`
	DryRun bool              `help:"Say what would be made and what cannot be, and make nothing."`
}

// Run makes what is not here yet, in the order in which one thing needs
// another, and says what it could not carry over. It fails if there is any such.
func (c *ImportCmd) Run(w *World) error {
	a, err := readAccount(c.Files)
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
	m := &importer{World: w, api: gl, notice: n, account: a, builds: c.Build, dry: c.DryRun, now: map[string]string{}}
	if err := m.run(w.Ctx); err != nil {
		return err
	}
	for _, s := range a.unread {
		m.cannot("%s", s)
	}
	verb := "made"
	if c.DryRun {
		verb = "to make"
	}
	w.Printf("%d %s, %d here already, %d not carried over\n", m.made, verb, m.found, m.refused)
	if m.refused > 0 {
		return fmt.Errorf("%d could not be carried over; the lines above say what, and why", m.refused)
	}
	return nil
}

// readAccount reads all files, and those of folders in the order of their names.
func readAccount(paths []string) (*account, error) {
	a := newAccount()
	for _, p := range paths {
		files := []string{p}
		if info, err := os.Stat(p); err != nil {
			return nil, fmt.Errorf("nothing to import: %w", err)
		} else if info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(p, "*.json")); err != nil {
				return nil, err
			}
			if len(files) == 0 {
				return nil, fmt.Errorf("there is no *.json in %s", p)
			}
		}
		sort.Strings(files)
		for _, name := range files {
			f, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			err = a.read(name, f)
			f.Close()
			if err != nil {
				return nil, err
			}
		}
	}
	a.settle()
	return a, nil
}

// originTag is the tag that says what a resource here was there. By it a second
// run knows what the first has made.
const originTag = "chairlift:imported-from"

// An importer carries an account over.
type importer struct {
	*World
	*account
	api    *api.Client
	notice Notice
	builds map[string]string // what was given for builds
	dry    bool
	now    map[string]string // ids here by the ids there

	made, found, refused int
}

func (m *importer) cannot(format string, args ...any) {
	m.refused++
	m.Printf("cannot carry over: "+format+"\n", args...)
}

// here notes that something there is something here already.
func (m *importer) here(what, was, is string) {
	m.found++
	m.now[was] = is
	m.Printf("here already: %s\n", what)
}

// make makes one thing, unless this is a dry run, and notes its id. A refusal
// of the service is told and does not end the import.
func (m *importer) make(what, was string, f func() (id string, err error)) {
	m.made++
	if m.dry {
		m.now[was] = was
		m.Printf("would make: %s\n", what)
		return
	}
	id, err := f()
	if err != nil {
		m.made--
		m.cannot("%s: %s", what, Explain(err))
		return
	}
	m.now[was] = id
	m.Printf("made: %s\n", what)
}

func (m *importer) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{m.importLocations, m.importBuilds, m.importFleets, m.importAliases, m.importQueues, m.importRuleSets, m.importConfigurations, m.importScaling} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tagged returns the ids here of resources that were imported, by the ids there.
func (m *importer) tagged(ctx context.Context, arns map[string]string) (map[string]string, error) {
	origins := map[string]string{}
	for id, arn := range arns {
		out, err := m.api.ListTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceARN: arn})
		if err != nil {
			return nil, err
		}
		for _, t := range out.Tags {
			if t.Key == originTag {
				origins[t.Value] = id
			}
		}
	}
	return origins, nil
}

func origin(was string) []api.Tag { return []api.Tag{{Key: originTag, Value: was}} }

// importLocations makes the custom locations; those of AWS are there and here.
func (m *importer) importLocations(ctx context.Context) error {
	here := map[string]bool{}
	for token := (*string)(nil); ; {
		out, err := m.api.ListLocations(ctx, &api.ListLocationsInput{Filters: []string{"CUSTOM"}, NextToken: token})
		if err != nil {
			return err
		}
		for _, l := range out.Locations {
			here[deref(l.LocationName)] = true
		}
		if token = out.NextToken; token == nil {
			break
		}
	}
	for _, l := range m.locations {
		name := deref(l.LocationName)
		what := "location " + name
		switch {
		case !strings.HasPrefix(name, "custom-"):
		case here[name]:
			m.here(what, what, name)
		default:
			m.make(what, what, func() (string, error) {
				_, err := m.api.CreateLocation(ctx, &api.CreateLocationInput{LocationName: name, Tags: origin(name)})
				return name, err
			})
		}
	}
	return nil
}

// importBuilds finds a build here for every build that a fleet needs. The files
// of a build cannot be had from the other service, so somebody has to name them.
func (m *importer) importBuilds(ctx context.Context) error {
	arns := map[string]string{}
	for token := (*string)(nil); ; {
		out, err := m.api.ListBuilds(ctx, &api.ListBuildsInput{NextToken: token})
		if err != nil {
			return err
		}
		for _, b := range out.Builds {
			arns[deref(b.BuildId)] = deref(b.BuildArn)
		}
		if token = out.NextToken; token == nil {
			break
		}
	}
	before, err := m.tagged(ctx, arns)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, f := range m.fleets {
		if f.BuildId != nil {
			wanted[*f.BuildId] = true
		}
	}
	for id := range m.builds {
		wanted[id] = true
	}
	for _, was := range sorted(wanted) {
		b := m.account.builds[was]
		what := strings.TrimSpace(fmt.Sprintf("build %s %s", deref(b.Name), deref(b.Version))) + " (" + was + ")"
		given := m.builds[was]
		switch {
		case before[was] != "":
			m.here(what, was, before[was])
		case arns[given] != "":
			m.here(what+", which is "+given, was, given)
		case given == "":
			m.cannot("%s: its files are not in its description; give them by --build %s=FOLDER", what, was)
		default:
			if _, err := os.Stat(given); errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("--build %s=%s: there is neither such a folder nor such a build here", was, given)
			}
			m.make(what+" from "+given, was, func() (string, error) { return m.upload(ctx, was, given, b) })
		}
	}
	return nil
}

// upload makes a build of a folder, under the name it had.
func (m *importer) upload(ctx context.Context, was, folder string, b api.Build) (string, error) {
	files, err := Files(folder)
	if err != nil {
		return "", err
	}
	name, system := deref(b.Name), deref(b.OperatingSystem)
	first(&name, name, filepath.Base(folder))
	first(&system, system, m.systemOf(was), "AMAZON_LINUX_2023")
	id, err := Upload(ctx, m.World, m.api, m.notice, name, system, files)
	if err != nil {
		return "", err
	}
	made, err := m.api.UpdateBuild(ctx, &api.UpdateBuildInput{BuildId: id, Name: &name, Version: b.Version})
	if err != nil {
		return "", err
	}
	_, err = m.api.TagResource(ctx, &api.TagResourceInput{ResourceARN: deref(made.Build.BuildArn), Tags: origin(was)})
	return id, err
}

// systemOf is the operating system of a build as its fleets say it.
func (m *importer) systemOf(build string) string {
	i := slices.IndexFunc(m.fleets, func(f api.FleetAttributes) bool { return deref(f.BuildId) == build })
	if i < 0 {
		return ""
	}
	return deref(m.fleets[i].OperatingSystem)
}

func sorted(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for n := range set {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
