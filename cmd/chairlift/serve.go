package main

import (
	"log/slog"
	"slices"

	"github.com/chairlift-games/chairlift/internal/blob/bucket"
	"github.com/chairlift-games/chairlift/internal/cli"
	"github.com/chairlift-games/chairlift/internal/notify"
	"github.com/chairlift-games/chairlift/internal/server"
)

type serveCmd struct {
	Addr          string         `help:"Address to listen on." default:"127.0.0.1:9080"`
	Data          string         `help:"Folder for everything that lasts." default:"./chairlift-data" type:"path"`
	Store         string         `help:"Where records are kept: sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE, which several servers may share; default SQLite in the data folder."`
	Files         string         `help:"Folder of builds and logs; servers of one database share it. Default the data folder." type:"path"`
	Region        string         `help:"Region of callers who name none." default:"us-west-2"`
	Account       string         `help:"Account number in ARNs, 12 digits." default:"000000000000"`
	Host          string         `help:"What starts instances: local (isolated where the rights allow, else shared), isolated, shared or none." enum:"local,isolated,shared,none" default:"local"`
	Profile       string         `help:"Whose rules: standard, hosted or 2019." enum:"standard,hosted,2019" default:"standard"`
	DNSSuffix     string         `help:"Domain for the host names of instances: players are told ip-10-0-0-7.DOMAIN beside the address 10.0.0.7, and the domain's DNS must say the same." name:"dns-suffix" placeholder:"DOMAIN"`
	Events        string         `help:"File that gets every event, one a line; - is standard output." placeholder:"FILE"`
	Buckets       bucket.Buckets `help:"Buckets that lie elsewhere, as YAML: best kept in the configuration file, see docs/run.md." placeholder:"YAML"`
	Sinks         notify.Sinks   `help:"Where events go, as YAML: best kept in the configuration file, see docs/events.md." placeholder:"YAML"`
	StopInstances bool           `help:"End all instances when the service ends."`
	LogLevel      string         `help:"How much to log to standard error: debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`
	NoReplay      bool           `help:"Leave effects that were not confirmed unsent after a restart, to see a test of restarts fail." hidden:""`
}

// Run serves until interrupted. Agents and games go on and are found again at
// the next start.
func (c *serveCmd) Run(w *cli.World) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(w.Err, &slog.HandlerOptions{Level: level}))
	sinks := c.Sinks
	if c.Events != "" {
		sinks = append(slices.Clone(sinks), notify.Sink{Name: "events", File: c.Events})
	}
	s, err := server.Open(w.Ctx, server.Options{
		Addr: c.Addr, Data: c.Data, Store: c.Store, Files: c.Files, Region: c.Region, Account: c.Account, Profile: c.Profile, DNSSuffix: c.DNSSuffix,
		Host: server.LocalHost(c.Host), StopInstances: c.StopInstances, Log: log, Getenv: w.Getenv, NoReplay: c.NoReplay,
		Sinks: sinks, Buckets: c.Buckets, Out: w.Out,
	})
	if err != nil {
		return err
	}
	w.Printf("ready addr=%s url=%s region=%s data=%s\n", s.Addr(), s.URL(), c.Region, c.Data)
	return s.Run(w.Ctx)
}
