// Runs in the package's worker before the package: a message destroys the devices that it has opened, as a driver's reset would.
const devices = [];
const requestDevice = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...options) {
  const device = await requestDevice.apply(this, options);
  devices.push(device);
  return device;
};
new BroadcastChannel("lose-device").onmessage = () => {
  for (const device of devices.splice(0)) device.destroy();
};
