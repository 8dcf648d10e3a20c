// Package archive looks into the zip files people upload as builds and scripts:
// what is in one, whether it is safe, and how it comes onto a disk.
//
// The service checks an archive when its upload ends, the agent unpacks it on
// an instance; both by the same rules, so a build that became READY unpacks.
// The package knows nothing of builds, fleets or where the bytes come from.
//
//	sum, err := archive.Check(file, size, archive.DefaultLimits)
//	if refused, ok := errors.AsType[*archive.Refused](err); ok {
//		// The archive is at fault: refused.Error() is a sentence for its maker.
//	}
//
// Nothing is ever written outside the folder an archive is unpacked to: names
// are checked first, every write goes through an os.Root, and links are made
// last and only if they stay inside.
package archive

import (
	"fmt"
	"strings"
)

// Limits bound what one archive may ask for. A limit of zero is no limit,
// except that Entries must be positive.
type Limits struct {
	// Entries is the most files, folders and links together.
	Entries int
	// TotalBytes is the most all files may take once unpacked.
	TotalBytes int64
	// Ratio is how many times larger than the archive its files may be. It is
	// asked only of archives that unpack to more than RatioFloorBytes, so that
	// a small build with one well-packed file passes.
	Ratio           int64
	RatioFloorBytes int64
	// FoldCase refuses names that differ only in case, for builds that are
	// unpacked where such names are the same file (Windows, macOS).
	FoldCase bool
}

// DefaultLimits fit a large game server and stop an archive that was made to
// fill a disk. Deflate packs zeros about 1,000 to 1, real builds 2 to 10.
var DefaultLimits = Limits{
	Entries:         200_000,
	TotalBytes:      100 << 30,
	Ratio:           100,
	RatioFloorBytes: 1 << 30,
}

const (
	nameMaxBytes      = 4096 // PATH_MAX on Linux
	componentMaxBytes = 255  // NAME_MAX nearly everywhere
	linkMaxBytes      = 4096
)

// Summary is what was found in an archive.
type Summary struct {
	Files   int
	Folders int // as listed; folders that are only implied by names are not counted
	Links   int
	// Bytes is the size of all files once unpacked.
	Bytes int64
	// Notes are sentences about what was assumed or may surprise: names with
	// backslashes, names that differ only in case, everything in one folder.
	Notes []string
}

// Refused says that the archive itself is at fault, and what to do about it.
// Every other error of this package is the machine's: a read or a write failed.
type Refused struct {
	Entry  string // the entry at fault, as the archive spells it; empty if it is the whole
	Reason string // a sentence
}

func (r *Refused) Error() string {
	if r.Entry == "" {
		return r.Reason
	}
	return fmt.Sprintf("entry %s: %s", quoted(r.Entry), r.Reason)
}

func refuse(entry, format string, args ...any) *Refused {
	return &Refused{Entry: entry, Reason: fmt.Sprintf(format, args...)}
}

// quoted bounds what a hostile name can do to a log line.
func quoted(name string) string {
	const longest = 120
	if len(name) > longest {
		name = name[:longest] + "…"
	}
	return fmt.Sprintf("%q", name)
}

// human spells a size as people read it, in binary units.
func human(bytes int64) string {
	const unit = 1024
	if bytes < unit {
		return fmt.Sprintf("%d bytes", bytes)
	}
	value, suffix := float64(bytes)/unit, 0
	for value >= unit && suffix < 5 {
		value /= unit
		suffix++
	}
	return strings.Replace(fmt.Sprintf("%.1f", value), ".0", "", 1) + " " + string("KMGTPE"[suffix]) + "iB"
}
