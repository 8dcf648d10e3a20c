package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/chairlift-games/chairlift/internal/blob"
)

// folder is a bucket whose keys are paths in a folder. No path leads out of it,
// not by a link either.
type folder struct{ root *os.Root }

func (f folder) open(_ context.Context, key, version string) (blob.File, error) {
	if !fs.ValidPath(key) || version != "" && version != blob.NoVersion {
		return nil, blob.ErrNotFound
	}
	file, err := f.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, blob.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", blob.ErrElsewhere, err)
	}
	st, err := file.Stat()
	if err != nil || !st.Mode().IsRegular() {
		file.Close()
		return nil, blob.ErrNotFound
	}
	tag := fmt.Sprintf("%x-%x", st.Size(), st.ModTime().UnixNano())
	return folderFile{file, blob.Info{Key: key, SizeBytes: st.Size(), ETag: tag, SHA256: tag, Modified: st.ModTime()}}, nil
}

func (f folder) stat(ctx context.Context, key, version string) (blob.Info, error) {
	file, err := f.open(ctx, key, version)
	if err != nil {
		return blob.Info{}, err
	}
	defer file.Close()
	return file.Info(), nil
}

type folderFile struct {
	*os.File
	info blob.Info
}

func (f folderFile) Info() blob.Info { return f.info }
