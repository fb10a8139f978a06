// What both pictures share: canvases that fit their place, colours of the style, sliders, frames, and the pointer.
"use strict";

const page = {
  // An element by its id.
  get(id) {
    return document.getElementById(id);
  },

  // A colour of networks.css.
  colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  },

  // The 2D context of a canvas in CSS pixels, cleared, with its width and height.
  canvas(element) {
    const scale = window.devicePixelRatio || 1;
    const width = element.clientWidth;
    const height = element.clientHeight;
    if (element.width !== Math.round(width * scale) || element.height !== Math.round(height * scale)) {
      element.width = Math.round(width * scale);
      element.height = Math.round(height * scale);
    }
    const pen = element.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    return { pen, width, height };
  },

  // A slider in milliseconds and the text beside it; the value in seconds.
  slider(id) {
    const input = page.get(id);
    const show = () => { page.get(`${id}-value`).textContent = `${input.value} ms`; };
    input.addEventListener("input", show);
    show();
    return () => Number(input.value) / 1000;
  },

  // Call draw(seconds since the last frame) for every frame; a page that was hidden goes on where it was.
  everyFrame(draw) {
    let last = null;
    const frame = (now) => {
      draw(last === null ? 0 : Math.min((now - last) / 1000, 0.1));
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  },

  // Where a finger or mouse that is held down is, in CSS pixels of the element: at(), null if none is.
  held(element) {
    let place = null;
    const note = (event) => {
      const box = element.getBoundingClientRect();
      place = { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    element.addEventListener("pointerdown", (event) => {
      note(event);
      try {
        element.setPointerCapture(event.pointerId);
      } catch (error) {
        if (error.name !== "NotFoundError") { // a pointer that is gone already
          throw error;
        }
      }
    });
    element.addEventListener("pointermove", (event) => { if (place !== null) { note(event); } });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      element.addEventListener(end, () => { place = null; });
    }
    return () => place;
  },

  // An exponential random number of this mean.
  exponential(mean) {
    return -Math.log(1 - Math.random()) * mean;
  },

  // Say in the page what went wrong.
  trouble(error) {
    const place = page.get("trouble");
    place.textContent = `The networks cannot run here: ${error.message}`;
    place.hidden = false;
    throw error;
  },
};

// What tests and the curious may look at.
const live = {};
