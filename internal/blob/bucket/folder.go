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
	return blob.OnDisk(key, file)
}

func (f folder) stat(ctx context.Context, key, version string) (blob.Info, error) {
	file, err := f.open(ctx, key, version)
	if err != nil {
		return blob.Info{}, err
	}
	defer file.Close()
	return file.Info(), nil
}
