-- Health of a ServiceDesk, AgentPool, KnowledgeBase or EscalationPolicy for Argo CD, as kstatus reads their conditions.
-- Healthy means that the object does its job. Service figures do not count: a pipeline must not block the very commit
-- that cures a peak.
local function condition(type)
  if obj.status ~= nil and obj.status.conditions ~= nil then
    for _, c in ipairs(obj.status.conditions) do
      if c.type == type then
        return c
      end
    end
  end
  return nil
end

local function health(status, message)
  return { status = status, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "being deleted")
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "the operator has not seen this generation yet; if that lasts, look at its pod and log")
end
if obj.spec ~= nil and obj.spec.suspend == true then
  return health("Suspended", "spec.suspend is true: set it to false to resume")
end
local stalled = condition("Stalled")
if stalled ~= nil and stalled.status == "True" then
  return health("Degraded", stalled.message)
end
local reconciling = condition("Reconciling")
if reconciling ~= nil and reconciling.status == "True" then
  return health("Progressing", reconciling.message)
end
local ready = condition("Ready")
if ready ~= nil and ready.status == "True" then
  return health("Healthy", ready.message)
end
if ready ~= nil then
  return health("Progressing", ready.message)
end
return health("Progressing", "the operator has set no condition yet")
