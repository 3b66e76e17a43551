package vm

// ServiceCallNames are the calls that rows of this package name.
func ServiceCallNames() []string {
	names := []string{"PSCI_VERSION"}
	for _, g := range gates {
		names = append(names, g.calls...)
	}
	for _, l := range levels {
		names = append(names, l.query)
	}
	return names
}

// Look has a guest read what the table has, and SeenBy puts what it read into a view.
var (
	Look   = look
	SeenBy = seenBy
)
