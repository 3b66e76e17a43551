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
				gone = append(gone, setup.Setup.Name())
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
		Field string `json:"field"`
		Now   string `json:"now"`
		Then  string `json:"then"`
		Known bool   `json:"known"`
		Moves string `json:"moves"`
		Back  string `json:"movesBack"`
	}
)

func forecastDocument(name string, f *model.Forecast) forecastJSON {
	doc := forecastJSON{Host: name, From: f.From.String(), To: f.To.String(), Unsettled: len(f.Unsettled)}
	for i := range f.Setups {
		setup := &f.Setups[i]
		s := forecastSetupJSON{Setup: setup.Setup.Name(), Made: setup.Made.String()}
		for j := range setup.Fields {
			field := &setup.Fields[j]
			then := field.Then.String()
			if field.Known() {
				then = memberText(field.Slot, field.Value())
			}
			s.Fields = append(s.Fields, forecastFieldJSON{
				arm64.Slots[field.Slot].Name(), memberText(field.Slot, field.Now), then,
				field.Known(), field.Taken.String(), field.Back.String(),
			})
		}
		for _, w := range setup.Whole {
			s.Fields = append(s.Fields, forecastFieldJSON{
				arm64.Registers[w.Place].Name, fmt.Sprintf("%#x", w.Now), fmt.Sprintf("%#x", w.Then), w.Known, "unknown", "unknown",
			})
		}
		for _, id := range setup.Gone {
			s.Gone = append(s.Gone, id.String())
		}
		for _, id := range setup.New {
			s.New = append(s.New, id.String())
		}
		doc.Setups = append(doc.Setups, s)
	}
	return doc
}
