package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/vm"
)

// forecastCommand says what guests would see if a host's kernel changed.
type forecastCommand struct {
	Host    string     `arg:"" help:"A capture file, - for standard input, or a catalogue name such as graviton3@6.1."`
	Kernels []string   `name:"kernel" required:"" placeholder:"VERSION" help:"The kernel the host would get; of several, one verdict each."`
	Raw     string     `placeholder:"FILE|MODEL" help:"The hardware's own ID registers: a CPU model that guise knows, or a file of \"REGISTER VALUE\" lines, - for standard input. With them nothing is unknown of a kernel that is named by its point release."`
	Setup   string     `placeholder:"SETUP" help:"Only this setup, as base or pmu+sve."`
	Output  outputFile `short:"o" placeholder:"FILE" help:"With --raw, write the capture that the host will give."`
	Verbose bool       `short:"v" help:"Name every unknown field and every entry that is not settled."`
	JSON    bool       `name:"json" help:"Print the forecast as JSON; of several kernels, a list."`
}

func (c *forecastCommand) Run(s *session) (int, error) {
	var versions []kernel.Version
	for _, text := range c.Kernels {
		version, err := kernel.ParseVersion(text)
		if err != nil {
			return 0, &inputError{fmt.Errorf("--kernel: %w", err)}
		}
		versions = append(versions, version)
	}
	if c.Output != "" && (c.Raw == "" || len(versions) > 1) {
		return 0, &inputError{&hintedError{errors.New("-o: a capture is of one kernel and leaves nothing open; want one --kernel, and --raw"),
			"guise forecast HOST --kernel 7.2 --raw MODEL -o then.json"}}
	}
	captures, _, err := s.reader.hosts(c.Host, nil)
	if err != nil {
		return 0, &inputError{err}
	}
	if len(captures) != 1 {
		return 0, &inputError{fmt.Errorf("%s: %d hosts; want one", c.Host, len(captures))}
	}
	capture := captures[0]
	if err := arm64Only(c.Host, capture.Arch()); err != nil {
		return 0, err
	}
	var forecasts []*model.Forecast
	for _, version := range versions {
		forecast, err := c.forecast(s, capture, version)
		if err != nil {
			return 0, err
		}
		forecasts = append(forecasts, forecast)
	}
	status := forecastStatus(forecasts...)
	switch {
	case c.Output == "-":
		return status, nil
	case c.JSON && len(forecasts) == 1:
		return status, s.printJSON(forecastDocument(capture.Name, forecasts[0]))
	case c.JSON:
		var documents []forecastJSON
		for _, f := range forecasts {
			documents = append(documents, forecastDocument(capture.Name, f))
		}
		return status, s.printJSON(documents)
	case len(forecasts) == 1 || c.Verbose:
		for i, f := range forecasts {
			if i > 0 {
				fmt.Fprintln(s.stdout)
			}
			c.print(s, capture.Name, f)
		}
	default:
		c.printPlan(s, capture.Name, forecasts)
	}
	return status, nil
}

// forecast forecasts for one kernel.
func (c *forecastCommand) forecast(s *session, capture *guise.Capture, version kernel.Version) (*model.Forecast, error) {
	forecast, err := model.Predict(capture, version)
	if err != nil {
		return nil, &inputError{err}
	}
	if c.Setup != "" {
		kept := forecast.Setups[:0]
		for _, f := range forecast.Setups {
			if f.Setup.Name() == c.Setup || f.Setup.Key() == c.Setup {
				kept = append(kept, f)
			}
		}
		if len(kept) == 0 {
			return nil, &inputError{fmt.Errorf("%s: has no setup %s", c.Host, c.Setup)}
		}
		forecast.Setups = kept
	}
	if c.Raw == "" {
		return forecast, nil
	}
	machine, err := c.hardware(s, capture)
	if err != nil {
		return nil, err
	}
	if err := forecast.Settle(s.ctx, machine); err != nil || c.Output == "" {
		return forecast, err
	}
	host, err := model.NewHost(machine, forecast.To)
	if err != nil {
		return nil, err
	}
	return forecast, c.write(s, capture, host, forecast)
}

// hardware is the machine of the hardware's own registers.
func (c *forecastCommand) hardware(s *session, capture *guise.Capture) (*model.Machine, error) {
	machine, err := model.NewMachine(c.Raw)
	if err != nil {
		text, readErr := s.reader.readFor(c.Raw, "registers and their values")
		switch {
		case errors.Is(readErr, fs.ErrNotExist):
			return nil, &inputError{fmt.Errorf("--raw: %s: no such file; %w", c.Raw, err)}
		case readErr != nil:
			return nil, &inputError{fmt.Errorf("--raw: %w", readErr)}
		}
		if machine, err = model.ParseMachine(c.Raw, string(text)); err != nil {
			return nil, &inputError{fmt.Errorf("--raw: %w", err)}
		}
	}
	if err := sameCPU(c.Raw, machine, capture); err != nil {
		return nil, &inputError{fmt.Errorf("--raw: %w", err)}
	}
	machine.Mode = capture.Host.Mode
	return machine, nil
}

// sameCPU fails where the hardware's registers are another CPU's than the
// capture's: implementer, architecture and part of MIDR_EL1. Variant and revision
// are not looked at: a CPU model stands for all of its part.
func sameCPU(name string, machine *model.Machine, capture *guise.Capture) error {
	const variantAndRevision = 0x00f0_000f
	raw := machine.CPUs[0].Registers[arm64.MIDREL1]
	for i := range capture.Setups {
		view := &capture.Setups[i].View
		if !view.Present.Has(arm64.MIDREL1) {
			continue
		}
		switch shown := view.Values[arm64.MIDREL1]; {
		case raw == 0:
			return fmt.Errorf("%s: has no MIDR_EL1; want that of %s, %#x, to know that the registers are its own", name, capture.Name, shown)
		case (raw^shown)&^variantAndRevision != 0:
			return fmt.Errorf("%s: is another CPU: MIDR_EL1 is %#x, and %s has %#x", name, raw, capture.Name, shown)
		}
	}
	return nil
}

var _ vm.Host = (*model.Host)(nil)

// forecastStatus is that of one forecast, or folds those of several: 1 where
// anything changes, 3 where some of what could change is unknown, else 0.
func forecastStatus(forecasts ...*model.Forecast) int {
	status := statusYes
	for _, f := range forecasts {
		switch s := oneForecastStatus(f); {
		case s == statusNo:
			return s
		case s != statusYes:
			status = s
		}
	}
	return status
}

// oneForecastStatus is 0 where nothing changes, 1 where something does, 3 where
// all that could change is unknown.
func oneForecastStatus(f *model.Forecast) int {
	status := statusYes
	for i := range f.Setups {
		setup := &f.Setups[i]
		if setup.Made == guise.No || len(setup.Gone)+len(setup.New) > 0 {
			return statusNo
		}
		if setup.Made == guise.Unknown {
			status = statusUnknown
		}
		for j := range setup.Fields {
			switch {
			case setup.Fields[j].Changes():
				return statusNo
			case !setup.Fields[j].Known():
				status = statusUnknown
			}
		}
		for _, w := range setup.Whole {
			if w.Known {
				return statusNo
			}
			status = statusUnknown
		}
	}
	return status
}

func (c *forecastCommand) print(s *session, name string, f *model.Forecast) {
	s.forecastHeadline(forecastStatus(f), name, fmt.Sprintf("from Linux %v to %v, in %s", f.From, f.To, count(len(f.Setups), "setup")))
	first := map[string]bool{} // what the first setup showed is not repeated
	for i := range f.Setups {
		c.printSetup(s, f, &f.Setups[i], first)
	}
	fmt.Fprintf(s.stdout, "\nrests on: the change log of Linux %v to %v (guise model changes %v %v)", f.From, f.To, f.From, f.To)
	if c.Raw != "" {
		fmt.Fprintf(s.stdout, ", and the registers of %s", c.Raw)
	}
	fmt.Fprintln(s.stdout)
	if fields := sourceOnly(f); len(fields) > 0 {
		fmt.Fprintf(s.stdout, "rests on: source that was read, for %s: no CPU of the lab shows it\n", strings.Join(fields, ", "))
	}
	if len(f.Unread) > 0 {
		fmt.Fprintf(s.stdout, "not known: %s, of which %s says nothing\n", registerNames(f.Unread), c.Raw)
	}
	if len(f.Unsettled) > 0 {
		fmt.Fprintf(s.stdout, "not settled: whether %s of the log hold for these kernels; what depends on them counts as not known\n", countEntries(len(f.Unsettled)))
	}
	if f.Extrapolates {
		fmt.Fprintf(s.stdout, "extrapolated: Linux %v is newer than all that are known (%v)\n", f.To, kernel.Newest)
	}
	if c.Raw == "" && forecastStatus(f) != statusYes {
		fmt.Fprintln(s.stdout, "hint: --raw, with the hardware's own registers, leaves only what point releases differ in")
	}
}

func (c *forecastCommand) printSetup(s *session, f *model.Forecast, setup *model.SetupForecast, first map[string]bool) {
	rows := [][]string{{"", fmt.Sprint(f.From), fmt.Sprint(f.To), fmt.Sprintf("moves to %v", f.To), fmt.Sprintf("back to %v", f.From)}}
	unknown := 0
	for i := range setup.Fields {
		field := &setup.Fields[i]
		if !field.Known() {
			unknown++
		}
		if field.Known() && !field.Changes() && field.Taken == guise.Yes && field.Back == guise.Yes {
			continue
		}
		if !field.Changes() && !field.Known() && !c.Verbose {
			continue
		}
		row := []string{arm64.Slots[field.Slot].Name(), memberText(field.Slot, field.Now), setText(field), field.Taken.String(), field.Back.String()}
		if key := strings.Join(row, " "); !first[key] || c.Verbose {
			first[key] = true
			rows = append(rows, row)
		}
	}
	for _, w := range setup.Whole {
		then := "unknown"
		if w.Known {
			then = arm64.Registers[w.Place].Text(w.Then)
		}
		row := []string{arm64.Registers[w.Place].Name, arm64.Registers[w.Place].Text(w.Now), then, "", ""}
		if key := strings.Join(row, " "); !first[key] || c.Verbose {
			first[key] = true
			rows = append(rows, row)
		}
	}
	fmt.Fprintf(s.stdout, "\n  setup %s", setup.Setup.Key())
	switch setup.Made {
	case guise.No:
		fmt.Fprintf(s.stdout, ": Linux %v makes no such VM\n", f.To)
		return
	case guise.Unknown:
		fmt.Fprintf(s.stdout, ": whether Linux %v makes such VMs is not known", f.To)
	}
	if unknown > 0 {
		fmt.Fprintf(s.stdout, ": %s not known, from what Linux %v shows", count(unknown, "field"), f.From)
		if !c.Verbose {
			fmt.Fprint(s.stdout, "  (-v)")
		}
	}
	fmt.Fprintln(s.stdout)
	if len(rows) > 1 {
		columns(s.stdout, rows, 1, 2)
	}
	for _, list := range []struct {
		word string
		ids  []arm64.ID
	}{{"no longer listed", setup.Gone}, {"newly listed", setup.New}} {
		if len(list.ids) > 0 {
			fmt.Fprintf(s.stdout, "  %s: %s\n", list.word, idNames(list.ids))
		}
	}
}

// sourceOnly names the fields whose forecast is known, of a host that has them, from
// source alone.
func sourceOnly(f *model.Forecast) []string {
	var names []string
	for i := range f.Setups {
		for j := range f.Setups[i].Fields {
			field := &f.Setups[i].Fields[j]
			name := arm64.Slots[field.Slot].Name()
			if kernel.Unseen(field.Slot) && field.Known() && field.Now|field.Value() != 0 && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// registerNames names registers by their places, the first of many.
func registerNames(places []int) string {
	ids := make([]arm64.ID, len(places))
	for i, place := range places {
		ids[i] = arm64.ID(arm64.Registers[place].ID)
	}
	return idNames(ids)
}

func idNames(ids []arm64.ID) string {
	const shown = 8
	var names []string
	for _, id := range ids {
		if len(names) == shown {
			names = append(names, fmt.Sprintf("%d more", len(ids)-shown))
			break
		}
		names = append(names, guise.NameOf(id))
	}
	return strings.Join(names, ", ")
}

// memberText gives a member of a slot's set: the value, or its name where the
// set holds places.
func memberText(slot int, member uint64) string {
	_, field := arm64.Slots[slot].Describe()
	return field.Text(arm64.Slots[slot].Value(member))
}

// membersText gives a set of members as documents write it.
func membersText(slot int, set isa.Set) string {
	if !arm64.Slots[slot].Coded {
		return set.String()
	}
	var names []string
	for _, member := range set.Values() {
		names = append(names, memberText(slot, member))
	}
	return strings.Join(names, ",")
}

func setText(f *model.FieldForecast) string {
	if f.Known() {
		return memberText(f.Slot, f.Value())
	}
	return membersText(f.Slot, f.Then) + " ?"
}
