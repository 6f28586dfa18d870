package main

// query is one question to Prometheus, and what its answers are called.
type query struct {
	name string // may hold {{label}}
	expr string
	unit string // of a column of a table; empty: none
}

// What an operator calls units, as Grafana does.
const (
	seconds   = "s"
	perSecond = "reqps"
	share     = "percentunit"
	count     = "short"
	bytesUnit = "bytes"
	yesNo     = "yes or no" // ours: 1 or 0
)

// The panels. All fit into a grid of 24 columns, and stand in the order in which
// they are made.

// stat shows the last value of each query in large letters.
func stat(title, about, unit string, queries ...query) panel {
	p := newPanel("stat", title, about, 4, 4, queries)
	p.FieldConfig.Defaults.Unit = unit
	p.Options = object{
		"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "textMode": "auto",
		"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	p.eachTarget(func(t *target) { t.Instant = true })
	return p
}

// lines shows how values go.
func lines(title, about, unit string, queries ...query) panel {
	p := newPanel("timeseries", title, about, 12, 8, queries)
	p.FieldConfig.Defaults.Unit = unit
	p.FieldConfig.Defaults.Min = new(0)
	p.FieldConfig.Defaults.Custom = object{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": false}
	p.Options = object{
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
	p.eachTarget(func(t *target) { t.Range = true })
	return p
}

// bars compares the last values.
func bars(title, about, unit string, queries ...query) panel {
	p := newPanel("bargauge", title, about, 12, 8, queries)
	p.FieldConfig.Defaults.Unit = unit
	p.FieldConfig.Defaults.Min = new(0)
	p.Options = object{
		"displayMode": "basic", "orientation": "horizontal", "showUnfilled": true,
		"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	p.eachTarget(func(t *target) { t.Instant = true })
	return p
}

// table has a row for each set of labels, and a column for each query that has a
// name.
func table(title, about string, queries ...query) panel {
	p := newPanel("table", title, about, 24, 9, queries)
	p.Options = object{"showHeader": true, "cellHeight": "sm"}
	names, hidden := object{}, object{"Time": true}
	for i, q := range queries {
		column := "Value" // as Grafana calls the only one
		if len(queries) > 1 {
			column += " #" + refID(i)
		}
		if q.name == "" {
			hidden[column] = true
			continue
		}
		names[column] = q.name
		switch q.unit {
		case yesNo:
			p.override(q.name, property{"mappings", []object{valueMap("0", "no", ""), valueMap("1", "yes", "")}})
		case "":
		default:
			p.override(q.name, property{"unit", q.unit})
		}
	}
	p.Transformations = []object{
		{"id": "merge", "options": object{}},
		{"id": "organize", "options": object{"excludeByName": hidden, "renameByName": names, "indexByName": object{}}},
	}
	p.eachTarget(func(t *target) { t.Instant, t.Format, t.Legend = true, "table", "" })
	return p
}

// tall changes the height.
func (p panel) tall(height int) panel {
	p.GridPos.H = height
	return p
}

// badFrom makes the value red from a limit on.
func (p panel) badFrom(limit float64) panel {
	p.FieldConfig.Defaults.Color = &object{"mode": "thresholds"}
	p.FieldConfig.Defaults.Thresholds = thresholds{Mode: "absolute", Steps: []step{{"green", nil}, {"red", &limit}}}
	return p
}

// goodFrom makes the value red below a limit.
func (p panel) goodFrom(limit float64) panel {
	p = p.badFrom(limit)
	p.FieldConfig.Defaults.Thresholds.Steps = []step{{"red", nil}, {"green", &limit}}
	return p
}

// words show 0 and 1 as words.
func (p panel) words(zero, one string) panel {
	p.FieldConfig.Defaults.Mappings = []object{valueMap("0", zero, "green"), valueMap("1", one, "red")}
	return p
}

// stacked puts the lines on top of each other: they add up.
func (p panel) stacked() panel {
	p.FieldConfig.Defaults.Custom["stacking"] = object{"group": "A", "mode": "normal"}
	p.FieldConfig.Defaults.Custom["fillOpacity"] = 40
	return p
}

// upTo is where the axis ends.
func (p panel) upTo(limit int) panel {
	p.FieldConfig.Defaults.Max = &limit
	return p
}

func valueMap(value, text, colour string) object {
	shown := object{"text": text}
	if colour != "" {
		shown["color"] = colour
	}
	return object{"type": "value", "options": object{value: shown}}
}
