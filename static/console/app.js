// Everything here makes a page that already works more pleasant. By delegation on data-*, so swapped parts need nothing.
const $ = (selector, root = document) => root.querySelector(selector)
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)]
const on = (type, handler, options) => document.addEventListener(type, handler, options)
const root = document.documentElement

function say(text) {
  const region = $("#say")
  region.textContent = ""
  setTimeout(() => (region.textContent = text), 50)
}
function remember(name, value) {
  const secure = location.protocol === "https:" ? "; secure" : ""
  document.cookie = `ikiro_${name}=${value}; path=/; max-age=31536000; samesite=lax${secure}`
}

// --- copy: says so when it worked, and what to do when it did not ---
async function copy(button) {
  let done = false
  try {
    await navigator.clipboard.writeText(button.dataset.copy)
    done = true
  } catch {
    const area = document.createElement("textarea")
    area.value = button.dataset.copy
    ;(button.closest("dialog") || document.body).append(area)
    area.select()
    done = document.execCommand("copy")
    area.remove()
  }
  const label = $("span", button)
  button.dataset.label ??= label ? label.textContent : button.getAttribute("aria-label")
  const text = done ? "Copied" : "Select and copy by hand"
  if (label) label.textContent = text
  else button.setAttribute("aria-label", text)
  button.dataset.state = done ? "done" : "failed"
  swapIcon(button, done ? "check" : "x")
  say(text)
  const secret = button.closest("[data-secret]")
  if (done && secret) stored(secret)
  setTimeout(() => {
    if (label) label.textContent = button.dataset.label
    else button.setAttribute("aria-label", button.dataset.label)
    delete button.dataset.state
    swapIcon(button, "copy")
  }, 2500)
}
function swapIcon(owner, name) {
  const use = $("use", owner)
  if (use) use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${name}`))
}

// --- theme, language of snippets ---
const THEMES = { auto: ["dark", "monitor", "as the system"], dark: ["light", "moon", "dark"], light: ["auto", "sun", "light"] }
function nextTheme() {
  const theme = THEMES[root.dataset.theme][0]
  root.dataset.theme = theme
  remember("theme", theme)
  const [next, icon, name] = THEMES[theme]
  for (const button of $$("[data-theme-next]")) {
    button.value = next
    swapIcon(button, icon)
    $(".u-sr", button).textContent = `Theme: ${name}. Change to ${THEMES[next][2]}`
  }
  say(`Theme: ${name}`)
}
function language(name) {
  remember("lang", name)
  for (const box of $$("[data-code]")) {
    if (!$(`[data-lang-of="${name}"]`, box)) continue
    for (const part of $$("[data-lang-of]", box)) part.hidden = part.dataset.langOf !== name
    for (const tab of $$("[data-lang]", box)) {
      if (tab.dataset.lang === name) tab.setAttribute("aria-current", "true")
      else tab.removeAttribute("aria-current")
    }
  }
}

// --- toasts ---
function leave(toast) {
  toast.classList.add("is-leaving")
  setTimeout(() => toast.remove(), 200)
}
function watchToasts() {
  for (const toast of $$("[data-toast]:not([data-seen])")) {
    toast.dataset.seen = ""
    if (toast.getAttribute("role") === "alert") continue
    let timer = setTimeout(leave, 8000, toast)
    toast.addEventListener("pointerenter", () => clearTimeout(timer))
    toast.addEventListener("pointerleave", () => (timer = setTimeout(leave, 3000, toast)))
  }
}

// --- dialogs: the browser's own; this is for those without command= ---
const open = (id) => {
  const dialog = document.getElementById(id)
  if (dialog && !dialog.open) dialog.showModal()
  if (id === "palette") {
    $("#palette-q").select()
    htmx.trigger("#palette-q", "palette")
  }
}
const hasCommands = "commandForElement" in HTMLButtonElement.prototype

// --- clicks ---
on("click", (event) => {
  const target = event.target
  const hit = (selector) => target.closest?.(selector)
  let found
  if ((found = hit("[data-copy]"))) copy(found)
  else if ((found = hit("[data-theme-next]"))) {
    event.preventDefault()
    nextTheme()
  } else if ((found = hit("[data-lang]"))) {
    event.preventDefault()
    language(found.dataset.lang)
  } else if ((found = hit("[data-dismiss]"))) leave(found.closest("[data-toast]"))
  else if ((found = hit("[data-open]"))) {
    if (!hasCommands) open(found.dataset.open)
    else if (found.dataset.open === "palette") setTimeout(open, 0, "palette")
  } else if ((found = hit("[data-reveal]"))) {
    const input = document.getElementById(found.dataset.reveal)
    input.type = input.type === "password" ? "text" : "password"
    found.setAttribute("aria-pressed", String(input.type === "text"))
  } else if (target.nodeName === "DIALOG") target.close()
})

// --- forms ---
on("input", (event) => {
  const input = event.target
  if ("otp" in input.dataset && /^\d{6}$/.test(input.value.trim())) input.form.requestSubmit()
  if (input.form?.matches("[data-guard]")) input.form.dataset.dirty = ""
})
on("change", (event) => {
  const input = event.target
  if ("autosubmit" in input.dataset) input.form.requestSubmit()
  if ("secretStored" in input.dataset) stored(input.closest("[data-secret]"), input.checked)
})
on("submit", (event) => {
  const form = event.target
  delete form.dataset.dirty
  if (form.closest("[data-secret]")) stored(form.closest("[data-secret]")) // a download is a way to store it
  if (form.dataset.passkey && !form.dataset.ready) return passkey(event, form)
  const button = event.submitter
  if (button?.dataset.busy) {
    button.dataset.label = button.innerHTML
    button.setAttribute("aria-busy", "true")
    setTimeout(() => {
      button.textContent = button.dataset.busy
      button.disabled = true
    })
  }
})
function idle() {
  for (const button of $$("[data-busy][aria-busy]")) {
    button.innerHTML = button.dataset.label
    button.removeAttribute("aria-busy")
    button.disabled = false
  }
}
addEventListener("pageshow", idle)
function stored(box, yes = true) {
  box.dataset.secret = yes ? "stored" : ""
  const tick = $("[data-secret-stored]", box)
  if (tick) tick.checked = yes
}
addEventListener("beforeunload", (event) => {
  if ($("form[data-dirty], [data-secret='']")) event.preventDefault()
})

// --- passkeys: <form data-passkey="get|create" data-options="URL of the options"> with an input named credential ---
async function passkey(event, form) {
  event.preventDefault()
  event.stopImmediatePropagation()
  const trouble = $("[data-passkey-error]", form)
  trouble.hidden = true
  try {
    const answer = await fetch(form.dataset.options, { headers: { Accept: "application/json" } })
    if (!answer.ok) throw new Error("The options for the passkey did not arrive. Try again.")
    const options = (await answer.json()).publicKey
    const create = form.dataset.passkey === "create"
    const publicKey = create
      ? PublicKeyCredential.parseCreationOptionsFromJSON(options)
      : PublicKeyCredential.parseRequestOptionsFromJSON(options)
    const made = await navigator.credentials[create ? "create" : "get"]({ publicKey })
    form.elements.credential.value = JSON.stringify(made.toJSON())
    form.dataset.ready = "yes"
    form.requestSubmit()
  } catch (error) {
    trouble.textContent = error.name === "NotAllowedError" ? "The passkey was not used: cancelled, or it took too long." : error.message
    trouble.hidden = false
  } finally {
    delete form.dataset.ready
  }
}
const hasPasskeys = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON)

// --- time ---
const pad = (n) => String(n).padStart(2, "0")
function tick() {
  for (const time of $$("time[data-countdown]")) {
    const left = Math.floor((new Date(time.dateTime) - Date.now()) / 1000)
    const days = Math.floor(left / 86400)
    const clock = `${pad(Math.floor((left % 86400) / 3600))}:${pad(Math.floor((left % 3600) / 60))}:${pad(left % 60)}`
    time.textContent = left <= 0 ? "over" : days ? `${days} d ${clock}` : clock
    time.classList.toggle("is-near", left > 0 && left < 3600)
  }
  for (const time of $$("time[data-ago]")) {
    const past = (Date.now() - new Date(time.dateTime)) / 1000
    const [size, name] = past >= 86400 ? [86400, "d"] : past >= 3600 ? [3600, "h"] : past >= 60 ? [60, "min"] : [1, "s"]
    time.textContent = past < 10 ? "just now" : `${Math.floor(past / size)} ${name} ago`
  }
}
setInterval(tick, 1000)

// --- keys: off by the visitor's wish, never while typing ---
let chord = 0
function keys(event) {
  const { key } = event
  // Focus lingers in a closed dialog until the next frame.
  const target = event.target.closest?.("dialog:not([open])") ? root : event.target
  if ((event.metaKey || event.ctrlKey) && key.toLowerCase() === "k" && $("#palette")) {
    event.preventDefault()
    return open("palette")
  }
  if (target.id === "palette-q") return palette(event)
  if (key === "Escape") return $("#drawer [data-close]")?.click()
  if (root.dataset.shortcuts === "off" || event.metaKey || event.ctrlKey || event.altKey) return
  if (target.matches?.("input, textarea, select, [contenteditable]") || $("dialog[open]")) return
  if (Date.now() - chord < 1200) {
    chord = 0
    return $(`a[data-chord="${CSS.escape(key)}"]`)?.click()
  }
  const act = {
    g: () => (chord = Date.now()),
    "?": () => open("shortcuts"),
    ".": () => open("api"),
    "/": () => ($("[data-filter]") || $(".c-filters input"))?.focus(),
    c: () => $("[data-create]")?.click(),
    t: nextTheme,
    j: () => row(1),
    k: () => row(-1),
    x: () => $("input[type=checkbox]", document.activeElement.closest("tr, li") ?? undefined)?.click(),
  }[key]
  if (!act) return
  event.preventDefault()
  act()
}
on("keydown", keys)
function row(step) {
  const rows = $$("main :is(tbody tr, [data-row])").map((one) => (one.matches("a") ? one : $("a, button", one))).filter(Boolean)
  const now = rows.findIndex((one) => one.closest("tr, [data-row]").contains(document.activeElement))
  rows[Math.min(Math.max(now + step, 0), rows.length - 1)]?.focus()
}
function palette(event) {
  const hits = $$("#palette-hits [role=option]")
  const now = hits.findIndex((one) => one.getAttribute("aria-selected") === "true")
  if (event.key === "Enter" && hits[now]) {
    event.preventDefault()
    if (event.ctrlKey || event.metaKey) window.open(hits[now].href)
    else hits[now].click()
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault()
    select(hits, (now + (event.key === "ArrowDown" ? 1 : hits.length - 1)) % hits.length)
  }
}
function select(hits, at) {
  hits.forEach((one, index) => one.setAttribute("aria-selected", String(index === at)))
  hits[at]?.scrollIntoView({ block: "nearest" })
  $("#palette-q").setAttribute("aria-activedescendant", hits[at]?.id ?? "")
}

// --- htmx: focus, toasts, lost connections, the live stream ---
function settle(part) {
  $$("[data-needs-js]", part).forEach((one) => (one.hidden = false))
  watchToasts()
  tick()
  if (part.id === "palette-hits") {
    select($$("[role=option]", part), 0)
    return say(`${part.children.length} results`)
  }
  const first = $("[data-focus]", part) || (part.id === "drawer" && $("h2", part))
  if (first) first.focus()
}
on("htmx:afterSettle", (event) => settle(event.detail.elt))
on("htmx:afterRequest", (event) => {
  idle()
  if (event.detail.successful || event.detail.xhr?.status) $("#offline").hidden = true
})
on("htmx:sendError", () => ($("#offline").hidden = false))
addEventListener("online", () => ($("#offline").hidden = true))
addEventListener("offline", () => ($("#offline").hidden = false))
const dots = (isOn) => $$("[data-live-dot]").forEach((dot) => dot.classList.toggle("is-on", isOn))
on("htmx:sseOpen", () => dots(true))
on("htmx:sseError", () => dots(false))
on("htmx:sseClose", () => dots(false))
let hidden
on("visibilitychange", () => {
  const live = $("[data-live]")
  if (!live) return
  clearTimeout(hidden)
  if (document.hidden) {
    hidden = setTimeout(() => {
      live.dataset.live = "paused"
      htmx.trigger(live, "htmx:beforeCleanupElement")
    }, 20000)
  } else if (live.dataset.live === "paused") {
    live.dataset.live = ""
    for (const one of [live, ...$$("[sse-swap]", live)]) htmx.trigger(one, "htmx:afterProcessNode")
  }
})

if (hasPasskeys) $$("[data-needs-passkey]").forEach((one) => (one.hidden = false))
$$("kbd").forEach((key) => /Mac|iPhone|iPad/.test(navigator.platform) || (key.textContent = key.textContent.replace("⌘", "Ctrl ")))
settle(document.body)
