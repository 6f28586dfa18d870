package main

// object is a part of what Grafana reads that has no other use here.
type object map[string]any

// dashboard is what Grafana reads, as far as we use it.
type dashboard struct {
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	SchemaVersion int        `json:"schemaVersion"` // of Grafana 10; later ones bring it up to date by themselves
	Version       int        `json:"version"`
	Editable      bool       `json:"editable"`
	Refresh       string     `json:"refresh"`
	Timezone      string     `json:"timezone"`
	Time          object     `json:"time"`
	Links         []object   `json:"links"`
	Annotations   object     `json:"annotations"`
	Templating    templating `json:"templating"`
	Panels        []panel    `json:"panels"`
}

type templating struct {
	List []object `json:"list"`
}

type panel struct {
	ID              int         `json:"id"`
	Type            string      `json:"type"`
	Title           string      `json:"title"`
	Description     string      `json:"description"`
	Datasource      datasource  `json:"datasource"`
	GridPos         gridPos     `json:"gridPos"`
	Targets         []target    `json:"targets"`
	FieldConfig     fieldConfig `json:"fieldConfig"`
	Options         object      `json:"options"`
	Transformations []object    `json:"transformations,omitempty"`
}

type gridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type target struct {
	RefID      string     `json:"refId"`
	Datasource datasource `json:"datasource"`
	Expr       string     `json:"expr"`
	Legend     string     `json:"legendFormat,omitempty"`
	Format     string     `json:"format,omitempty"`
	Instant    bool       `json:"instant"`
	Range      bool       `json:"range"`
}

type fieldConfig struct {
	Defaults  defaults   `json:"defaults"`
	Overrides []override `json:"overrides"`
}

type defaults struct {
	Unit       string     `json:"unit,omitempty"`
	Min        *int       `json:"min,omitempty"`
	Max        *int       `json:"max,omitempty"`
	Color      *object    `json:"color,omitempty"`
	Thresholds thresholds `json:"thresholds"`
	Mappings   []object   `json:"mappings"`
	Custom     object     `json:"custom,omitempty"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"` // nil: from the beginning
}

type override struct {
	Matcher    object     `json:"matcher"`
	Properties []property `json:"properties"`
}

type property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// chosen is the Prometheus that whoever looks at the dashboard has chosen.
var chosen = datasource{Type: "prometheus", UID: "${datasource}"}

// newDashboard has the variables that all have, and puts the panels in order.
func newDashboard(name, title, about string, variables []object, panels ...panel) dashboard {
	d := dashboard{
		UID: "b3scale-" + name, Title: "b3scale: " + title, Description: about, Tags: []string{"b3scale"},
		SchemaVersion: 38, Version: 1, Editable: true, Refresh: "30s", Timezone: "browser",
		Time:        object{"from": "now-6h", "to": "now"},
		Annotations: object{"list": []object{}},
		Links: []object{{
			"type": "dashboards", "title": "b3scale", "tags": []string{"b3scale"}, "asDropdown": true, "includeVars": false, "keepTime": true,
		}},
		Panels: panels,
	}
	d.Templating.List = append([]object{
		{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": object{}, "hide": 0},
		variable("job", "Cluster", "label_values(b3scale_build_info, job)", false),
	}, variables...)
	x, y, height := 0, 0, 0
	for i := range panels {
		p := &panels[i]
		if x+p.GridPos.W > 24 {
			x, y, height = 0, y+height, 0
		}
		p.ID, p.GridPos.X, p.GridPos.Y = i+1, x, y
		x, height = x+p.GridPos.W, max(height, p.GridPos.H)
	}
	return d
}

// variable lets people choose among the values of a label: one, or any number.
func variable(name, label, values string, several bool) object {
	v := object{
		"name": name, "label": label, "type": "query", "datasource": chosen, "definition": values,
		"query":   object{"query": values, "refId": "variable-" + name},
		"refresh": 2, "sort": 1, "hide": 0, "multi": several, "includeAll": several, "current": object{},
	}
	if several {
		v["allValue"] = ".+"
		v["current"] = object{"selected": true, "text": "All", "value": "$__all"}
	}
	return v
}

func newPanel(kind, title, about string, width, height int, queries []query) panel {
	p := panel{
		Type: kind, Title: title, Description: about, Datasource: chosen,
		GridPos: gridPos{W: width, H: height},
		FieldConfig: fieldConfig{
			Defaults:  defaults{Mappings: []object{}, Thresholds: thresholds{Mode: "absolute", Steps: []step{{"green", nil}}}},
			Overrides: []override{},
		},
	}
	for i, q := range queries {
		p.Targets = append(p.Targets, target{RefID: refID(i), Datasource: chosen, Expr: q.expr, Legend: q.name})
	}
	return p
}

func (p *panel) eachTarget(do func(*target)) {
	for i := range p.Targets {
		do(&p.Targets[i])
	}
}

func (p *panel) override(column string, properties ...property) {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{object{"id": "byName", "options": column}, properties})
}

func refID(i int) string { return string(rune('A' + i)) }
