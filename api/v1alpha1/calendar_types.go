package v1alpha1

// Weekday is a day of the week.
//
// +kubebuilder:validation:Enum=Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
type Weekday string

// TimeOfDay is a local time as HH:MM, "00:00" to "23:59".
//
// +kubebuilder:validation:MinLength=5
// +kubebuilder:validation:MaxLength=5
// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
type TimeOfDay string

// EndOfPeriod is a local time as HH:MM, "00:01" to "47:59": 24:00 is the end of the day, 26:00 is 02:00 of the next day.
//
// +kubebuilder:validation:MinLength=5
// +kubebuilder:validation:MaxLength=5
// +kubebuilder:validation:Pattern=`^([0-3][0-9]|4[0-7]):[0-5][0-9]$`
type EndOfPeriod string
