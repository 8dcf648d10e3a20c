package ops

import "context"

// Logs are what agents sent of the output of processes and of the stages of an
// instance, under the names INSTANCE/PROCESS and INSTANCE/STAGE.
type Logs interface {
	// List returns the names that begin with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
	// ReadAt reads from the named log as an io.ReaderAt does: fewer bytes than
	// asked for come with io.EOF. A log that is not there is empty.
	ReadAt(ctx context.Context, name string, p []byte, off int64) (int, error)
}
