package v1alpha1_test

var webhookRows = []ruleRow{
	{
		name:   "what customers say is not sent in plain text unknowingly",
		accept: `{spec: {webhooks: [{name: crm, url: "https://crm.example.com/events", secretRef: {name: crm}, events: [message]}, {name: erp, url: "http://erp:8080", allowPlainHTTP: Allow, secretRef: {name: erp}, events: [conversation.closed, conversation.tagged, conversation.rated]}]}}`,
		reject: `{spec: {webhooks: [{name: crm, url: "http://crm.example.com/events", secretRef: {name: crm}, events: [message]}]}}`,
		want:   []string{"spec.webhooks[0].url: Invalid value: url begins with http, so that everybody on the way can read what customers say: use https, or set allowPlainHTTP to Allow"},
	},
}
