package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Sweep drops uploads that began before the given time and were never ended,
// and data and half-written records of before it that nothing names. Choose a
// time no upload can still be under way since: a day ago, say.
func (d *Dir) Sweep(ctx context.Context, before time.Time) error {
	uploads, err := list(d.root, "uploads")
	if err != nil {
		return err
	}
	for _, entry := range uploads {
		u, err := readJSON[upload](d.root, filepath.Join("uploads", entry.Name(), "upload.json"))
		begun := u.Begun
		if errors.Is(err, fs.ErrNotExist) { // a crash came between the folder and its record
			info, err := entry.Info()
			if err != nil {
				continue
			}
			begun = info.ModTime()
		} else if err != nil {
			return err
		}
		if begun.Before(before) {
			d.mu.Lock()
			err := d.endUpload(entry.Name(), d.named(u.Key))
			d.mu.Unlock()
			if err != nil {
				return err
			}
		}
	}

	// The candidates are listed before the names are collected: what is named
	// later was written later.
	var old []string
	for _, folder := range []string{"data", "objects"} {
		entries, err := list(d.root, folder)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if err == nil && info.ModTime().Before(before) && (folder == "data" || strings.HasSuffix(entry.Name(), ".tmp")) {
				old = append(old, filepath.Join(folder, entry.Name()))
			}
		}
	}
	if len(old) == 0 {
		return nil
	}
	named, err := d.allNamed(ctx)
	if err != nil {
		return err
	}
	for _, name := range old {
		if !named[name] {
			if err := d.remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// named gives the data that the record of key names.
func (d *Dir) named(key string) []segment {
	rec, err := d.lookup(key)
	if err != nil {
		return nil
	}
	return rec.Data
}

// allNamed collects the data that any record names.
func (d *Dir) allNamed(ctx context.Context) (map[string]bool, error) {
	named := map[string]bool{}
	add := func(rec record) {
		for _, s := range rec.Data {
			named[filepath.Join("data", s.Name)] = true
		}
	}
	// Uploads first: a part that becomes a file meanwhile is then seen in one
	// place or the other.
	uploads, err := list(d.root, "uploads")
	if err != nil {
		return nil, err
	}
	for _, entry := range uploads {
		records, err := d.partRecords(entry.Name())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, rec := range records {
			add(rec)
		}
	}
	objects, err := list(d.root, "objects")
	if err != nil {
		return nil, err
	}
	for _, entry := range objects {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		rec, err := readJSON[record](d.root, filepath.Join("objects", entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		add(rec)
	}
	return named, nil
}

// syncFolder makes renames in a folder last. Windows has no such call and
// needs none.
func syncFolder(root *os.Root, folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := root.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
