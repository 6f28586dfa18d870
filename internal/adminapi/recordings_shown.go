package adminapi

import (
	"maps"

	"b3scale"
)

// metaMeetingID is the name of the meeting's id in the metadata of a recording.
const metaMeetingID = "meetingId"

// recordingOf is a recording of the frontend with this key. Meetings are named
// as the nodes know them, addresses are those that the nodes told: links that
// open something are for frontends alone.
func recordingOf(r *b3scale.Recording, key string, reveal bool) Recording {
	data := recordingData(r, key, reveal)
	return Recording{
		RecordID:          r.ID,
		Recording:         data,
		MeetingID:         data.MeetingID,
		InternalMeetingID: r.InternalMeetingID,
		FrontendID:        r.FrontendID,
		CreatedAt:         moment(r.CreatedAt),
		UpdatedAt:         moment(r.UpdatedAt),
		SyncedAt:          moment(r.UpdatedAt),
	}
}

func recordingData(r *b3scale.Recording, key string, reveal bool) RecordingData {
	data := RecordingData{
		RecordID:          r.ID,
		MeetingID:         b3scale.EncodeMeetingID(key, r.MeetingID),
		InternalMeetingID: r.InternalMeetingID,
		Name:              r.Name,
		IsBreakout:        r.Breakout,
		Published:         r.Published,
		State:             r.State,
		StartTime:         r.StartMillis,
		EndTime:           r.EndMillis,
		Participants:      r.Participants,
		Metadata:          map[string]string{},
		Formats:           make([]RecordingFormat, len(r.Formats)),
	}
	maps.Copy(data.Metadata, r.Metadata)
	if data.Metadata[metaMeetingID] == r.MeetingID && r.MeetingID != "" { // unless somebody made it another text
		data.Metadata[metaMeetingID] = data.MeetingID
	}
	if !reveal {
		data.Metadata = withoutTokens(data.Metadata)
	}
	for i := range r.Formats {
		data.Formats[i] = formatOf(&r.Formats[i])
	}
	return data
}

func formatOf(f *b3scale.RecordingFormat) RecordingFormat {
	images := make([]RecordingImage, len(f.Preview))
	for i, image := range f.Preview {
		images[i] = RecordingImage{Alt: image.Alt, Height: image.Height, Width: image.Width, URL: image.URL}
	}
	return RecordingFormat{
		Type: f.Type, URL: f.URL, ProcessingTime: f.ProcessingMillis, Length: f.DurationMillis / 60000,
		Preview: RecordingPreview{Images: RecordingImages{All: images}},
	}
}
