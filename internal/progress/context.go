package progress

import "context"

// key is the key of the Display in a context.
type key struct{}

// NewContext returns a context whose work is shown by d.
func NewContext(ctx context.Context, d *Display) context.Context {
	return context.WithValue(ctx, key{}, d)
}

// FromContext returns the display of a context, nil where it has none.
func FromContext(ctx context.Context) *Display {
	d, _ := ctx.Value(key{}).(*Display)
	return d
}

// Start begins a task on the display of a context; see Display.Task.
func Start(ctx context.Context, name string, total int64, unit Unit) *Task {
	return FromContext(ctx).Task(name, total, unit)
}
