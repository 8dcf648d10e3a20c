package lift

import (
	"reflect"
	"testing"
)

// Every event that names a process is about it.
func TestEventsOfProcesses(t *testing.T) {
	n := 0
	for f := range reflect.TypeFor[Event]().Fields() {
		if f.Type.Kind() != reflect.Pointer {
			continue
		}
		about := reflect.New(f.Type.Elem())
		id := about.Elem().FieldByName("ProcessID")
		if !id.IsValid() {
			continue
		}
		id.SetString("p-1")
		ev := reflect.New(reflect.TypeFor[Event]()).Elem()
		ev.FieldByIndex(f.Index).Set(about)
		if got := ev.Addr().Interface().(*Event).Process(); got != "p-1" {
			t.Errorf("%s is about the process %q", f.Name, got)
		}
		n++
	}
	if n < 10 {
		t.Errorf("%d events are about processes", n)
	}
}
