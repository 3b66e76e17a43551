package main

import (
	"fmt"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	model "github.com/guise-project/guise/model/arm64"
)

var forecastWords = map[int]string{statusYes: "same", statusNo: "differs", statusUnknown: "unknown"}

// forecastHeadline says in one sentence whether guests of a host see a change.
func (s *session) forecastHeadline(status int, host, when string) {
	switch status {
	case statusYes:
		s.headline(guise.Yes, "guests of "+host+" see no change", when)
	case statusNo:
		s.headline(guise.No, "guests of "+host+" see a change", when)
	default:
		s.headline(guise.Unknown, "unknown", "whether guests of "+host+" see a change "+when)
	}
}

// printPlan gives each kernel one verdict.
func (c *forecastCommand) printPlan(s *session, name string, forecasts []*model.Forecast) {
	rows := [][]string{{"kernel", "guests see", "fields that change", "not known", "a VM moves there", "and back", "setups it does not make"}}
	for _, f := range forecasts {
		changes, unknown := 0, 0
		there, back := guise.Yes, guise.Yes
		var gone []string
		for i := range f.Setups {
			setup := &f.Setups[i]
			if setup.Made == guise.No {
				gone = append(gone, setup.Setup.Key())
				continue
			}
			for j := range setup.Fields {
				field := &setup.Fields[j]
				switch {
				case !field.Known():
					unknown++
				case field.Changes():
					changes++
				}
				there, back = max(there, field.Taken), max(back, field.Back)
			}
		}
		rows = append(rows, []string{
			f.To.String(), forecastWords[forecastStatus(f)], fmt.Sprint(changes), fmt.Sprint(unknown), there.String(), back.String(), strings.Join(gone, ", "),
		})
	}
	s.forecastHeadline(forecastStatus(forecasts...), name, fmt.Sprintf("from Linux %v to %s", forecasts[0].From, strings.Join(c.Kernels, ", ")))
	fmt.Fprintln(s.stdout)
	columns(s.stdout, rows, 2, 3)
	fmt.Fprintln(s.stdout, "\nhint: -v names the fields")
}

// Documents of --json.
type (
	forecastJSON struct {
		Host      string              `json:"host"`
		From      string              `json:"from"`
		To        string              `json:"to"`
		Setups    []forecastSetupJSON `json:"setups"`
		Unsettled int                 `json:"unsettledEntries"`
	}
	forecastSetupJSON struct {
		Setup  string              `json:"setup"`
		Made   string              `json:"made"`
		Fields []forecastFieldJSON `json:"fields"`
		Gone   []string            `json:"noLongerListed"`
		New    []string            `json:"newlyListed"`
	}
	forecastFieldJSON struct {
		Register string `json:"register"`
		Field    string `json:"field,omitzero"`
		Now      any    `json:"now"`
		// Then is not there where it is not known; Possible is the set of values
		// then, as documents write it, where that is known.
		Then     any    `json:"then,omitzero"`
		Possible string `json:"possible,omitzero"`
		Known    bool   `json:"known"`
		Moves    string `json:"moves"`
		Back     string `json:"movesBack"`
	}
)

func forecastDocument(name string, f *model.Forecast) forecastJSON {
	doc := forecastJSON{Host: name, From: f.From.String(), To: f.To.String(), Setups: []forecastSetupJSON{}, Unsettled: len(f.Unsettled)}
	for i := range f.Setups {
		setup := &f.Setups[i]
		s := forecastSetupJSON{Setup: setup.Setup.Key(), Made: setup.Made.String(), Fields: []forecastFieldJSON{}, Gone: idTexts(setup.Gone), New: idTexts(setup.New)}
		for j := range setup.Fields {
			field := &setup.Fields[j]
			f := forecastFieldJSON{Now: typed("", memberText(field.Slot, field.Now)).Value, Known: field.Known(), Moves: field.Taken.String(), Back: field.Back.String()}
			f.Register, f.Field, _ = strings.Cut(arm64.Slots[field.Slot].Name(), ".")
			if field.Known() {
				f.Then = typed("", memberText(field.Slot, field.Value())).Value
			} else {
				f.Possible = membersText(field.Slot, field.Then)
			}
			s.Fields = append(s.Fields, f)
		}
		for _, w := range setup.Whole {
			register := &arm64.Registers[w.Place]
			f := forecastFieldJSON{Register: register.Name, Now: typed("", register.Text(w.Now)).Value, Known: w.Known, Moves: "unknown", Back: "unknown"}
			if w.Known {
				f.Then = typed("", register.Text(w.Then)).Value
			}
			s.Fields = append(s.Fields, f)
		}
		doc.Setups = append(doc.Setups, s)
	}
	return doc
}
