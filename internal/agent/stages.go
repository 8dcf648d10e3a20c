package agent

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/archive"
	"github.com/chairlift-games/chairlift/internal/archive/inspect"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// tidyAfter is how long after the preparation memory is handed back.
const tidyAfter = 5 * time.Second

// listedFiles is how many names of a build its log lists.
const listedFiles = 10_000

// stage carries out one stage of the preparation (behaviour 2.3).
func (s *shell) stage(ctx context.Context, stage lift.Stage) Prepared {
	switch stage {
	case lift.StageDownloading:
		return s.download(ctx)
	case lift.StageExtracting:
		return s.extract(ctx)
	case lift.StageInstalling:
		return s.install(ctx)
	case lift.StageValidatingPaths:
		return s.validatePaths()
	case lift.StageBuilding:
		return s.finish()
	}
	return Prepared{Stage: stage, Err: fmt.Sprintf("this agent does not know the stage %s", stage)}
}

// stageLog begins the log of a stage. Its key is the stage's name.
func (s *shell) stageLog(stage lift.Stage) *capture {
	c, err := newCapture(string(stage), filepath.Join(s.cfg.logs(), strings.ToLower(string(stage))+".log"))
	if err != nil {
		s.log.Warn("the log of a stage is not kept", "stage", stage, "error", err)
	}
	s.ship(c)
	return c
}

func (s *shell) archive() string { return filepath.Join(s.cfg.Dir, "build.zip") }

// download fetches the archive of the build.
func (s *shell) download(ctx context.Context) Prepared {
	out := Prepared{Stage: lift.StageDownloading}
	file, err := os.Create(s.archive())
	if err != nil {
		out.Err = fmt.Sprintf("The build cannot be kept on the instance: %v.", err)
		return out
	}
	size, err := s.link.FetchBuild(ctx, file)
	if err = errors.Join(err, file.Close()); err != nil {
		out.Err = fmt.Sprintf("The build %s cannot be fetched: %v.", s.config.Build.ID, err)
		return out
	}
	out.Message = human(size)
	return out
}

// extract unpacks the archive into the game folder, and removes it.
func (s *shell) extract(ctx context.Context) Prepared {
	log := s.stageLog(lift.StageExtracting)
	defer log.end()
	out := Prepared{Stage: lift.StageExtracting, Log: log.key}
	began := time.Now()
	sum, err := s.unpack(ctx, log)
	if err != nil {
		log.printf("failed: %v", err)
		out.Err = fmt.Sprintf("The build cannot be unpacked: %v.", err)
		return out
	}
	for _, note := range sum.Notes {
		log.printf("note: %s", note)
	}
	out.Message = fmt.Sprintf("%d files, %s, in %s", sum.Files, human(sum.Bytes), time.Since(began).Round(time.Millisecond))
	log.printf("%s", out.Message)
	os.Remove(s.archive())
	if exists(filepath.Join(s.cfg.Game, installScript())) {
		out.Installer = installScript()
	} else if other := otherScript(); exists(filepath.Join(s.cfg.Game, other)) {
		out.Notices = append(out.Notices, lift.Notice{Code: lift.GenericEvent, Log: log.key,
			Message: fmt.Sprintf("The build holds %s, which does not run on this instance (%s); put what it does into %s.", other, runtime.GOOS, installScript())})
	}
	return out
}

func (s *shell) unpack(ctx context.Context, log *capture) (archive.Summary, error) {
	file, err := os.Open(s.archive())
	if err != nil {
		return archive.Summary{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return archive.Summary{}, err
	}
	if list, err := zip.NewReader(file, info.Size()); err == nil {
		for i, f := range list.File {
			if i == listedFiles {
				log.printf("… and %d more", len(list.File)-i)
				break
			}
			log.printf("%12d  %s", f.UncompressedSize64, f.Name)
		}
	}
	root, err := os.OpenRoot(s.cfg.Game)
	if err != nil {
		return archive.Summary{}, err
	}
	defer root.Close()
	limits := archive.DefaultLimits
	limits.FoldCase = runtime.GOOS == "windows" || runtime.GOOS == "darwin"
	return archive.Unpack(ctx, file, info.Size(), root, limits, nil)
}

// installScript is what an instance of this system runs once (behaviour 2.3).
func installScript() string {
	if runtime.GOOS == "windows" {
		return "install.bat"
	}
	return "install.sh"
}

func otherScript() string {
	if runtime.GOOS == "windows" {
		return "install.sh"
	}
	return "install.bat"
}

// install runs the install script of the build in its folder.
func (s *shell) install(ctx context.Context) Prepared {
	log := s.stageLog(lift.StageInstalling)
	defer log.end()
	out := Prepared{Stage: lift.StageInstalling, Log: log.key}
	script := filepath.Join(s.cfg.Game, installScript())
	f := inspect.Target(script, inspect.Place{Folder: s.cfg.Game})
	if f.Repairable {
		if err := inspect.Repair(script); err == nil {
			out.Notices = append(out.Notices, repaired(f, log.key))
			f = inspect.Target(script, inspect.Place{Folder: s.cfg.Game})
		}
	}
	if f.Problem != inspect.None {
		log.printf("%s", f.Sentence)
		out.Err = fmt.Sprintf("The install script cannot run: %s.", f.Sentence)
		return out
	}
	began := time.Now()
	cmd := exec.Command(script)
	cmd.Dir = s.cfg.Game
	cmd.Env = cleanEnvironment(os.Environ())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = drainOutput
	if err := s.reaper.launch(cmd); err != nil {
		out.Err = fmt.Sprintf("The install script cannot run: %v.", plain(err))
		return out
	}
	all := newTree(cmd)
	aborted := context.AfterFunc(ctx, all.kill)
	err := cmd.Wait()
	aborted()
	all.kill()
	s.reaper.waited(cmd.Process.Pid)
	status, code := describeExit(cmd.ProcessState, err)
	log.printf("%s ended with %s after %s", installScript(), status, time.Since(began).Round(time.Millisecond))
	if code != 0 {
		out.Err = fmt.Sprintf("%s ended with %s. Last output:\n%s", installScript(), status, log.last())
		return out
	}
	out.Message = fmt.Sprintf("%s ended well after %s", installScript(), time.Since(began).Round(time.Millisecond))
	return out
}

// validatePaths looks every launch path up.
func (s *shell) validatePaths() Prepared {
	log := s.stageLog(lift.StageValidatingPaths)
	defer log.end()
	out := Prepared{Stage: lift.StageValidatingPaths, Log: log.key}
	var lines []string
	fits := false
	seen := make(map[string]bool)
	for _, e := range s.config.Fleet.Runtime.ServerProcesses {
		if seen[e.LaunchPath] {
			continue
		}
		seen[e.LaunchPath] = true
		check, notices := s.checkPath(e.LaunchPath, log.key)
		out.Paths, out.Notices = append(out.Paths, check), append(out.Notices, notices...)
		line := e.LaunchPath + ": found"
		switch {
		case check.Missing:
			line = e.LaunchPath + ": not found; " + check.Finding
		case check.Unfit:
			line = e.LaunchPath + ": cannot be executed; " + check.Finding
		case check.Finding != "":
			line = e.LaunchPath + ": found; " + check.Finding
			fits = true
		default:
			fits = true
		}
		log.printf("%s", line)
		lines = append(lines, line)
	}
	out.Message = strings.Join(lines, "\n")
	if fits && s.config.Fleet.Windows() && runtime.GOOS != "windows" {
		out.Notices = append(out.Notices, lift.Notice{Code: lift.GenericEvent, Log: log.key, Message: fmt.Sprintf(
			"The build names %s as its operating system, which is the default when none is given, and this instance runs %s. Its launch target is made for %s, so it is run. Name an operating system when you create the build.",
			s.config.Fleet.OperatingSystem, runtime.GOOS, runtime.GOOS)})
	}
	return out
}

// unfit are the findings after which there is no point in trying. A missing
// library is not among them: looking can be mistaken about those.
var unfit = map[inspect.Problem]bool{
	inspect.NotAFile: true, inspect.Empty: true, inspect.WrongSystem: true, inspect.WrongProcessor: true,
	inspect.NoInterpreter: true, inspect.WindowsLines: true, inspect.NoShebang: true, inspect.NotAProgram: true,
}

// checkPath looks at the file of a launch path, and repairs what can be.
func (s *shell) checkPath(launchPath, log string) (check PathCheck, notices []lift.Notice) {
	path := localPath(s.cfg.Game, launchPath)
	place := inspect.Place{Folder: s.cfg.Game}
	f := inspect.Target(path, place)
	if f.Repairable {
		if err := inspect.Repair(path); err == nil {
			notices = append(notices, repaired(f, log))
			f = inspect.Target(path, place)
		}
	}
	return PathCheck{
		LaunchPath: launchPath, Finding: f.Sentence,
		Missing: f.Problem == inspect.Missing, Unfit: unfit[f.Problem],
	}, notices
}

func repaired(f inspect.Finding, log string) lift.Notice {
	return lift.Notice{Code: lift.GenericEvent, Log: log, Message: f.Sentence + "; it was given one."}
}

// metadata is the file that tells server processes where they are (behaviour 2.7).
type metadata struct {
	BuildARN         string `json:"buildArn"`
	BuildID          string `json:"buildId"`
	FleetARN         string `json:"fleetArn"`
	FleetDescription string `json:"fleetDescription"`
	FleetID          string `json:"fleetId"`
	FleetName        string `json:"fleetName"`
	FleetType        string `json:"fleetType"`
	InstanceRoleARN  string `json:"instanceRoleArn"`
	InstanceType     string `json:"instanceType"`
	ServerLaunchPath string `json:"serverLaunchPath"`
}

// finish writes the metadata file.
func (s *shell) finish() Prepared {
	out := Prepared{Stage: lift.StageBuilding}
	// Unpacking and the first launches take what running does not need.
	time.AfterFunc(tidyAfter, debug.FreeOSMemory)
	f, b := s.config.Fleet, s.config.Build
	launchPath := f.LaunchPath
	if launchPath == "" && len(f.Runtime.ServerProcesses) > 0 {
		launchPath = f.Runtime.ServerProcesses[0].LaunchPath
	}
	data, err := json.MarshalIndent(metadata{
		BuildARN: lift.BuildARN(b.Region, b.Account, b.ID), BuildID: string(b.ID),
		FleetARN: f.ARN(), FleetDescription: f.Description, FleetID: string(f.ID), FleetName: f.Name, FleetType: f.FleetType,
		InstanceRoleARN: f.InstanceRoleARN, InstanceType: f.InstanceType, ServerLaunchPath: launchPath,
	}, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(s.cfg.Metadata, "gamelift-metadata.json"), append(data, '\n'), 0o644)
	}
	if err != nil {
		// Few servers read it: the instance goes on without.
		out.Notices = append(out.Notices, lift.Notice{Code: lift.GenericEvent, Message: fmt.Sprintf("The metadata file gamelift-metadata.json could not be written: %v.", err)})
	}
	return out
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// human spells a size for people.
func human(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", bytes)
}
