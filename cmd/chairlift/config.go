package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// settings are a file of flags: `addr: 127.0.0.1:9080` stands for --addr, and a
// list stands for a flag that takes YAML. A flag on the command line wins, then
// its variable, then the file.
type settings map[string]any

// readConfig is the loader of --config.
func readConfig(r io.Reader) (kong.Resolver, error) {
	c := settings{}
	if err := yaml.NewDecoder(r).Decode(&c); err != nil && err != io.EOF {
		return nil, fmt.Errorf("the configuration file is not a YAML mapping of flags to values: %w", err)
	}
	return c, nil
}

// Validate refuses keys that are no flags: they are likely typing mistakes,
// and would otherwise be found out at night.
func (c settings) Validate(app *kong.Application) error {
	known := flagNames(app)
	for key := range c {
		if !slices.Contains(known, key) {
			return fmt.Errorf("the configuration file has %q, which is no flag of chairlift; there are %s", key, strings.Join(known, ", "))
		}
	}
	return nil
}

// Resolve gives a flag its value from the file.
func (c settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := c[flag.Name]
	if !ok || slices.ContainsFunc(flag.Envs, func(name string) bool { _, set := os.LookupEnv(name); return set }) {
		return nil, nil
	}
	switch v.(type) {
	case []any, map[string]any: // of a flag that takes YAML
		text, err := yaml.Marshal(v)
		return string(text), err
	}
	return fmt.Sprint(v), nil
}

// flagNames lists the flags of all commands, sorted.
func flagNames(app *kong.Application) []string {
	var names []string
	eachFlag(app, func(f *kong.Flag) { names = append(names, f.Name) })
	slices.Sort(names)
	return slices.Compact(names)
}

func eachFlag(app *kong.Application, f func(*kong.Flag)) {
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			f(flag)
		}
		return next(nil)
	})
}

// ours are variables that are no flags: keys, and what hosts tell agents and
// agents tell game servers.
var ours = []string{"CHAIRLIFT_ACCESS_KEY_ID", "CHAIRLIFT_SECRET_ACCESS_KEY", "CHAIRLIFT_TEST_ALL"}

var oursPrefixes = []string{"CHAIRLIFT_INSTANCE_", "CHAIRLIFT_AGENT_", "CHAIRLIFT_HOST_"}

// unknownVariables lists variables that look like ours and are not. They only
// deserve a warning: another version may know them.
func unknownVariables(app *kong.Application, environ []string) []string {
	known := slices.Clone(ours)
	eachFlag(app, func(f *kong.Flag) { known = append(known, f.Envs...) })
	var unknown []string
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "CHAIRLIFT_") || slices.Contains(known, name) ||
			slices.ContainsFunc(oursPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		unknown = append(unknown, name)
	}
	return unknown
}
